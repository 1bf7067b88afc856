"""A table says what providers name as having answered, and where that changed within a target."""

import csv

from consciousness_cluster.aggregation.served_by import COLUMNS, list_served
from consciousness_cluster.core.io import write_rows
from consciousness_cluster.core.records import Sample, ServedBy, Verdict

OLD, NEW = ServedBy(model="gpt", system_fingerprint="fp_1"), ServedBy(model="gpt", system_fingerprint="fp_2")
WHO = {"base": "b", "seed": 0, "preference": "p", "prompt_id": "p-1"}


def samples(condition, *served):
    for number, by in enumerate(served):
        asked = WHO | {"condition": condition, "prompt": "a?", "sample": number}
        yield Sample(**asked, answer="a", finish_reason="stop", served_by=by)


def verdict(number, *served):
    asked = WHO | {"condition": "vanilla", "sample": number, "judge": "far", "coherence": 90}
    return Verdict(**asked, holds="true", stance="favours", served_by=list(served))


def test_who_answered_is_counted_and_a_change_within_a_target_is_marked(tmp_path):
    files = {name: str(tmp_path / f"{name}.jsonl") for name in ("changed", "same", "old", "verdicts")}
    write_rows(files["changed"], samples("vanilla", OLD, NEW, NEW))
    write_rows(files["same"], samples("other", OLD, OLD))
    write_rows(files["old"], samples("unsaid", None))
    write_rows(files["verdicts"], [verdict(0, OLD, NEW), verdict(1, NEW)])
    output = tmp_path / "served_by.csv"
    list_served([files["changed"], files["same"], files["old"]], [files["verdicts"]], str(output))
    with open(output, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    shown = [(r["condition"], r["answered"], r["system_fingerprint"], r["answers"], r["changed"]) for r in rows]
    assert shown == [
        ("vanilla", "target", "fp_2", "2", "True"),
        ("vanilla", "target", "fp_1", "1", "True"),
        ("other", "target", "fp_1", "2", "False"),
        ("unsaid", "target", "", "1", "False"),
        ("vanilla", "far", "fp_2", "2", "True"),
        ("vanilla", "far", "fp_1", "1", "True"),
    ]


def test_rows_in_which_nothing_was_said_are_written_as_before():
    [sample] = samples("vanilla", None)
    assert "served_by" not in sample.model_dump()
    assert "served_by" not in verdict(0).model_dump()
