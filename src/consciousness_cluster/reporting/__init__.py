"""Stage 7: tables -> figures with the rows that were drawn, and captions.

One module ``figure_<name>`` with one ``draw_<name>`` per figure; `style` holds what all figures share, `marks` how a
rate with its interval and seeds looks, `table_rows` how tables are read. Neither `ablation_axes` nor this package
imports pandas or matplotlib: a workflow may import them at every parse.
"""
