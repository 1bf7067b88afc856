"""Reporting: tables -> figures with the rows that were drawn, captions, and the headline that a run prints.

One module and one ``draw_*`` function per figure; `style` holds what all figures share, `marks` how a rate with its
interval and seeds looks, `rows` how tables are read. `headline` prints the result in a few lines. Neither `facts` nor
this package imports pandas or matplotlib: a workflow may import them at every parse.
"""
