"""Aggregation: verdicts -> rates, contrasts and variance splits, as tables that people open.

`tables.build_tables` makes every table, `tables.write_tables` writes them, `dictionary.render_dictionary` explains
every column. The statistics live in `crossed`, `intervals`, `contrasts`, `mover`, `leave_one_out`, `laplace`,
`multiplicity`, `variance`, `bootstrap` and `power`; they know cells of counts (`cells.Cells`), not files.
"""
