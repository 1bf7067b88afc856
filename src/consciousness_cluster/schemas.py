"""Writes the JSON Schemas that editors use: ``python -m consciousness_cluster.schemas`` in the project's folder."""

from __future__ import annotations

import json
from pathlib import Path

from .battery import Preference
from .experiment import Experiment
from .loading import write_text

SCHEMAS = {"experiment": Experiment, "preference": Preference}


def write_schemas(folder: Path) -> None:
    """Write one ``<name>.json`` per kind of file that users edit."""
    for name, model in SCHEMAS.items():
        write_text(folder / f"{name}.json", json.dumps(model.model_json_schema(), indent=2) + "\n")


if __name__ == "__main__":
    write_schemas(Path("schemas"))
