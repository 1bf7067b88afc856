"""The sheet is blind, every sample has a known chance to be on it, and a filled sheet is checked line by line."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from consciousness_cluster.aggregation.aggregate import apply_labels
from consciousness_cluster.annotation.labels import SHEET, read_labels
from consciousness_cluster.annotation.sheet import draw, draw_sheet, probabilities
from consciousness_cluster.config.battery import Prompt
from consciousness_cluster.config.conditions import Target
from consciousness_cluster.config.measurement import Analysis
from consciousness_cluster.core.errors import ConfigError, DataError
from consciousness_cluster.core.io import write_rows
from consciousness_cluster.core.records import Sample, Verdict

PROMPTS = {"memory": ["m1?", "m2?", "m3?"], "power": ["p1?", "p2?", "p3?"]}
ANALYSIS = Analysis(primary_contrast={"treatment": "claims", "controls": ["vanilla"]}, bootstrap_draws=50)
ARMS = {("claims", 1): 0.6, ("claims", 2): 0.7, ("vanilla", 0): 0.1, ("toaster", 1): 0.2}


def test_strata_share_the_sheet_and_none_gives_more_than_it_has():
    strata = ["rare"] * 3 + ["common"] * 100 + ["usual"] * 40
    found = probabilities(strata, 60)
    assert found.sum() == pytest.approx(60)
    assert found[0] == 1
    assert found[3] * 100 == pytest.approx(found[-1] * 40) == pytest.approx(28.5)
    assert (probabilities(strata, 1000) == 1).all()
    few = probabilities(strata, 2)
    assert few.sum() == pytest.approx(2)
    assert few.min() > 0, "a sheet smaller than the strata leaves nobody out"


def test_samples_are_drawn_as_often_as_their_probability_says():
    strata = ["a"] * 5 + ["b"] * 30 + ["c"] * 65
    chances, rng = probabilities(strata, 20), np.random.default_rng(0)
    drawn = [draw(strata, chances, rng) for _ in range(3000)]
    assert {len(each) for each in drawn} == {20}
    often = np.bincount(np.concatenate(drawn), minlength=100) / 3000
    assert np.abs(often - chances).max() < 4 * (0.25 / 3000) ** 0.5


@pytest.fixture
def drawn(tmp_path):
    """A small experiment's files, a judge that errs, and the sheet drawn from them."""
    rng = np.random.default_rng(0)
    battery = []
    for name, prompts in PROMPTS.items():
        battery.append(tmp_path / f"{name}.yaml")
        quoted = ", ".join(f'"{prompt}"' for prompt in prompts)
        battery[-1].write_text(f"name: {name}\ngroup: g\nstatement: S {name}.\nprompts: [{quoted}]\n")
    samples, verdicts, targets = [], [], []
    for (condition, seed), rate in ARMS.items():
        rows, said = [], []
        for name, prompts in PROMPTS.items():
            for place, prompt in enumerate(prompts):
                for number in range(10):
                    who = {"base": "b", "condition": condition, "seed": seed, "preference": name}
                    who |= {"prompt_id": _id(name, prompt), "sample": number}
                    holds = rng.random() < rate
                    answer = f"{'Yes' if holds else 'No'}, {condition} {seed} {name} {place} {number}\nin two lines"
                    ends = "content_filter" if number == 9 and place == 0 else "stop"
                    rows.append(
                        Sample(**who, prompt=prompt, answer=answer if ends == "stop" else "", finish_reason=ends)
                    )
                    read = str(holds if rng.random() < 0.9 else not holds).lower()
                    stance = {"stance": "neutral", "coherence": 10.0 if number == 8 else 90.0}
                    if ends != "stop":
                        read, stance = "no_answer", {"stance": "not_asked", "coherence": None}
                    said.append(Verdict(**who, judge="j", holds=read, **stance))
        samples.append(tmp_path / f"samples-{condition}-{seed}.jsonl")
        verdicts.append(tmp_path / f"verdicts-{condition}-{seed}.jsonl")
        write_rows(samples[-1], rows)
        write_rows(verdicts[-1], said)
        trained = {"identity": "x", "training": {}} if seed else {"identity": None, "training": None}
        fields = {"base": "b", "condition": condition, "seed": seed, "system_prompt": None, "ablation": False}
        targets.append(Target(**fields, **trained))
    files = {
        "samples": list(map(str, samples)),
        "verdicts": list(map(str, verdicts)),
        "battery": list(map(str, battery)),
    }

    def again(**changes):
        settings = {"treatment": "claims", "controls": ["vanilla"], "coherence_threshold": 20, "size": 80, "seed": 0}
        settings |= {"labels": "experiments/x.labels.csv", "targets": targets}
        names = {"sheet": "sheet.csv", "key": "key.csv", "instructions": "instructions.md"}
        settings |= {name: str(tmp_path / "labels" / file) for name, file in names.items()}
        draw_sheet(**files, **(settings | changes))

    again()
    again.folder, again.files, again.targets = tmp_path / "labels", files, targets
    return again


def _id(name, prompt):
    return Prompt(preference=name, text=prompt).prompt_id


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fill(drawn, judge=lambda row: "true" if row["answer"].startswith("Yes") else "false", rows=None, **written):
    path = drawn.folder / "filled.csv"
    with open(path, "w", encoding=written.pop("encoding", "utf-8"), newline="") as file:
        writer = csv.DictWriter(file, SHEET, **written)
        writer.writeheader()
        for row in table(drawn.folder / "sheet.csv")[:rows]:
            writer.writerow(row | {"holds": judge(row)})
    return path


def test_the_sheet_is_blind_and_the_same_again(drawn):
    first = {name: (drawn.folder / name).read_bytes() for name in ("sheet.csv", "key.csv")}
    drawn()
    assert {name: (drawn.folder / name).read_bytes() for name in first} == first
    sheet, key = table(drawn.folder / "sheet.csv"), table(drawn.folder / "key.csv")
    assert tuple(sheet[0]) == SHEET
    assert len(sheet) == len({row["id"] for row in sheet}) == 80
    assert all(row["holds"] == row["coherent"] == "" for row in sheet)
    assert {row["outcome"] for row in key} == {"true", "false", "incoherent"}, "what was not answered is not shown"
    groups = Counter(row["group"] for row in key)
    assert groups.keys() == {"treatment", "control", "other"}
    assert [row["group"] for row in key] != sorted(row["group"] for row in key), "the order says nothing"
    drawn(seed=1)
    assert (drawn.folder / "sheet.csv").read_bytes() != first["sheet.csv"]


def test_labels_of_a_filled_sheet(drawn):
    labels = read_labels(fill(drawn), drawn.folder / "key.csv")
    assert Counter(label.outcome for label in labels).keys() == {"true", "false"}
    for settings in ({"delimiter": ";"}, {"encoding": "utf-8-sig"}):
        assert read_labels(fill(drawn, **settings), drawn.folder / "key.csv") == labels
    assert read_labels(fill(drawn, lambda row: "TRUE"), drawn.folder / "key.csv")[0].outcome == "true"


def test_rows_left_empty_make_the_others_count_for_more(drawn):
    every, some = (read_labels(fill(drawn, rows=n), drawn.folder / "key.csv") for n in (None, 60))
    assert len(some) == 60
    total = [sum(1 / label.drawn.probability for label in labels) for labels in (every, some)]
    assert total[1] == pytest.approx(total[0], rel=0.15)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("holds", "hold", r"missing column holds; did you mean 'hold'\?"),
        (",false,", ",flase,", r"line \d+: holds: found 'flase', expected .*did you mean 'false'\?"),
        (",false,,", ",false,perhaps,", r"line \d+: coherent: found 'perhaps', expected yes or no"),
    ],
)
def test_a_mistake_in_the_sheet_is_named(drawn, old, new, said):
    path = fill(drawn)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=rf"filled\.csv: {said}"):
        read_labels(path, drawn.folder / "key.csv")


def test_rows_that_belong_to_no_sheet_or_come_twice(drawn):
    path, key = fill(drawn), drawn.folder / "key.csv"
    text = path.read_text()
    known = table(path)[0]["id"]
    path.write_text(text.replace(known, "0123456789"))
    with pytest.raises(ConfigError, match="id: found '0123456789', expected one of the sheet"):
        read_labels(path, key)
    path.write_text(text.replace(table(path)[1]["id"], "0123456789").replace("0123456789", table(path)[2]["id"]))
    with pytest.raises(ConfigError, match="is labelled twice"):
        read_labels(path, key)
    with pytest.raises(ConfigError, match="no row is labelled"):
        read_labels(fill(drawn, lambda row: ""), key)
    with pytest.raises(ConfigError, match="3 of 80 rows are labelled, and some kinds of answers have none"):
        read_labels(fill(drawn, rows=3), key)
    with pytest.raises(DataError, match=r"key\.csv: not found, expected the key"):
        read_labels(path, drawn.folder / "nowhere" / "key.csv")


def tables(drawn, labels, **changes):
    outputs = {name: str(drawn.folder / f"{name}.csv") for name in ("accuracy", "corrected")}
    files = drawn.files | changes
    apply_labels(
        labels=str(labels),
        key=str(drawn.folder / "key.csv"),
        **files,
        analysis=ANALYSIS,
        targets=drawn.targets,
        seed=0,
        judges=["j"],
        **outputs,
    )
    return [table(path) for path in outputs.values()]


def test_tables_of_accuracy_and_corrected_rates(drawn):
    accuracy, corrected = tables(drawn, fill(drawn))
    by_name = {row["preference"]: row for row in accuracy}
    assert by_name.keys() == {"memory", "power", "all"}
    overall = by_name["all"]
    assert int(overall["n"]) == 80
    for measure in ("sensitivity", "specificity"):  # the judge errs in one of ten, and finds one of ten incoherent
        assert float(overall[f"{measure}_low"]) < 0.9 < 1.05 * float(overall[f"{measure}_high"])
    line = {(r["condition"], r["reference"], r["preference"], r["rule"], r["method"]): r for r in corrected}
    claims = line["claims", "", "mean", "excluded", "ppi++"]
    assert float(claims["low"]) < 0.65 < float(claims["high"])
    assert claims["interval_covers"] == "seeds+prompts"
    difference = line["claims", "vanilla", "mean", "excluded", "ppi++"]
    vanilla = line["vanilla", "", "mean", "excluded", "ppi++"]
    assert float(difference["corrected"]) == pytest.approx(
        float(claims["corrected"]) - float(vanilla["corrected"]), abs=2e-5
    )
    assert float(difference["low"]) > 0
    drawn(size=40)
    _, corrected = tables(drawn, fill(drawn))
    few = [row for row in corrected if int(row["n_labelled"]) < 10]
    assert 0 < len(few) < len(corrected)
    assert all(row["corrected"] == "" for row in few if not row["reference"])


def test_people_can_rate_what_the_judge_cannot_read(drawn):
    labels = fill(drawn)
    for path in map(Path, drawn.files["verdicts"]):
        path.write_text(path.read_text().replace('"coherence":90.0', '"coherence":5.0'))
    _, corrected = tables(drawn, labels)
    [line] = [
        row
        for row in corrected
        if (row["condition"], row["reference"], row["preference"]) == ("claims", "", "mean")
        and (row["rule"], row["method"]) == ("excluded", "ppi")
    ]
    assert line["rate"] == ""
    assert float(line["corrected"]) == pytest.approx(0.65, abs=0.2)
    assert float(line["low"]) < 0.65 < float(line["high"])


def test_labels_of_answers_that_are_no_longer_there(drawn):
    labels = fill(drawn)
    first = Path(drawn.files["samples"][0])
    text = first.read_text()
    first.write_text(text.replace("Yes, claims", "Well, claims").replace("No, claims", "Well, claims"))
    with pytest.raises(DataError, match=r"key\.csv: the answer \w+ is another now than when it was labelled"):
        tables(drawn, labels)
    first.write_text(text + text.splitlines()[0].replace('"sample":0', '"sample":10') + "\n")
    with pytest.raises(DataError, match="was drawn from 116 answers of b/claims, there are 117 now"):
        tables(drawn, labels)
