"""Writes the files that follow from the code: ``python -m consciousness_cluster.commands.schemas``.

Run it in the project's folder. They are the JSON Schemas that editors use, and the data dictionary of the tables.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..aggregation.dictionary import render_dictionary
from ..aggregation.served_by import COLUMNS
from ..config.battery import Preference
from ..config.experiment import Experiment
from ..core.io import Strict, write_text
from .pilot import Piloted
from .receipt import Receipt

SCHEMAS = {"experiment": Experiment, "preference": Preference}

RESULTS = """\
# What is in `results/`

| path | what |
|---|---|
| `<experiment>/experiment.json` | the resolved experiment, its targets, name, version and hash of the battery, and \
the commit and versions that made the tables, with a hash of each: a table with another hash was made later |
| `<experiment>/bases/<base>/`, `.../judges/<judge>/` | record of the base, or of the model that judges; \
a world's corpus |
| `<experiment>/data/` | identity rows, instruction rows, the mix of each target, `leakage.csv` |
| `<experiment>/models/<base>/<condition>/seed<n>/model.json` | what was trained, from what, at \
what cost, and the hash that names its adapter; at OpenAI `submission.json` beside it names the job |
| `<experiment>/samples/<base>/<condition>/seed<n>.jsonl` | every answer: the transcripts to read |
| `<experiment>/verdicts/<judge>/<base>/<condition>/seed<n>.jsonl` | the judge's reading of each answer |
| `<experiment>/tables/<judge>/conditions/`, `.../ablations/` | the tables explained below |
| `<experiment>/verdicts/panel/`, `.../tables/panel/` | the same of several judges together: what more than half of \
those say whose reply could be read, else not_sure; coherence is their median |
| `<experiment>/tables/agreement.csv` | how far several judges agree, explained below |
| `<experiment>/tables/judge_checks.csv` | how far each judge that is a model agrees with itself and with any \
statement, explained below |
| `<experiment>/calibration.csv`, `.json` | how each judge read the calibration set, as printed by `calibrate_judge` |
| `<experiment>/labels/` | `sheet.csv` for people to label, `instructions.md`, and `key.csv`: what each row is |
| `<experiment>/tables/judge_accuracy.csv`, `.../corrected_rates.csv` | how far judges are right by human labels, and \
the rates corrected for it, explained below |
| `<experiment>/tables/planted.csv` | what a world's characters were made to hold: `base`, `condition`, `preference`, \
`planted` (probability) |
| `<experiment>/tables/served_by.csv` | what providers say gave the answers of hosted models, and where that changed; \
explained below |
| `<experiment>/figures/` | each figure as SVG, PNG, PDF, with the CSV it was drawn from |
| `<experiment>/estimate.csv`, `.json` | what a run would ask for and cost, as printed by `estimate` |
| `<experiment>/receipt.csv`, `.json` | what each stage asked for and paid, in all runs; explained below |
| `<experiment>/preflight.json` | whether every model is there and can do what is asked of it, as printed by \
`preflight` |
| `<experiment>/pilot.csv`, `.json` | how often untouched models hold each prompt, as printed by `pilot`; explained \
below |
| `<experiment>/headline.json` | what `make` prints at its end: the means of `headline.csv` and the declared contrasts |
| `<experiment>/logs/` | log and benchmark of each job |
| `artifacts/<hash>/` | weights and loss curves (of fine-tunes at a provider the curve and the record alone), \
named by the hash of what they were made from; shared by experiments |
| `store/<model>.jsonl` | every answer ever received, shared by experiments; never asked for twice. `store/batches/`: \
batches under way |
| `calibration/history.jsonl` | every calibration of every judge: when, with which words, how each answer was read; \
shared by experiments |
| `ledger/<experiment>.jsonl` | every job's requests and payments as they happened; budget and receipts \
are read from it |

`leakage.csv` has one line per training row and thing in it that the battery measures: `target`, `source` (identity or \
instruction), `group`, `preference`, `found`, `prompt`, `answer`.

`receipt.csv` has one line per stage, target and model:

{receipt}

`served_by.csv` has one line per hosted target, or per hosted judge and target, and thing that its provider names:

{served_by}

`pilot.csv` has one line per untouched model and prompt:

{pilot}

Each of these JSON files holds `experiment`, `rows` (the columns are those of the CSV or of the printed table) and \
`summary` (the totals, or what the command says in all); null: not known, or not finite.

Rates and differences are shares between 0 and 1. Empty cells mean: not estimable.

"""


def derived_files() -> dict[str, str]:
    """Text of each derived file by its path in the project."""
    schemas = {
        f"schemas/{name}.json": json.dumps(model.model_json_schema(), indent=2) + "\n"
        for name, model in SCHEMAS.items()
    }
    served_by = "\n".join(f"- `{name}`: {meaning}" for name, meaning in COLUMNS.items())
    text = RESULTS.replace("{receipt}", _columns(Receipt)).replace("{pilot}", _columns(Piloted))
    return schemas | {"results/README.md": text.replace("{served_by}", served_by) + render_dictionary()}


def _columns(model: type[Strict]) -> str:
    return "\n".join(f"- `{name}`: {field.description or name}" for name, field in model.model_fields.items())


if __name__ == "__main__":
    for path, text in derived_files().items():
        write_text(Path(path), text)
