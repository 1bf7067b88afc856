"""Aggregation: verdicts -> rates, contrasts and variance splits, as tables that people open.

`tables.build_tables` makes every table, `tables.write_tables` writes them, `dictionary.render_dictionary` explains
every column. The statistics live in `crossed`, `intervals`, `bootstrap`, `contrasts`, `multiplicity`, `variance`
and `power`; they know cells of counts (`cells.Cells`), not files.
"""
