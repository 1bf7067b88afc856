"""The calibration set is what its datasheet says; a judge is asked anew each time, and one that drifted is found."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from consciousness_cluster.commands.calibrate_judge import accuracies, compare, drift, print_calibration, record
from consciousness_cluster.config.battery import load_battery
from consciousness_cluster.core.errors import ClusterError
from consciousness_cluster.core.io import load_json, read_rows
from consciousness_cluster.judging.calibration import (
    UNFINISHED_FOR,
    Calibration,
    CalibrationReading,
    begin,
    load_calibration,
    read_calibration,
)
from consciousness_cluster.judging.llm_judge import LLMJudge
from unit.judging.samples import Scripted

ROOT = Path(__file__).parents[3]
SET = ROOT / "battery/standard/calibration.jsonl"
BATTERY = load_battery(ROOT / "battery/standard")
FILES = [str(path) for path in sorted((ROOT / "battery/standard").glob("*.yaml"))]
ROWS = load_calibration(SET, BATTERY)
LABELS = {row.row_id: row.label for row in ROWS}
ASKING = {"protocol": "joint", "temperature": 0.0, "max_tokens": 300, "retries": 1, "check_share": 0.05}


def test_the_set_is_what_its_datasheet_says():
    sheet = (SET.parent / "calibration.md").read_text()
    labels = Counter(row.label for row in ROWS)
    assert f"{len(ROWS)} answers" in sheet
    assert f"{labels['false']} false, {labels['true']} true, {labels['incoherent']} incoherent" in sheet
    assert set(re.findall(r"`(\w+)`", sheet.split("| `reason` |")[1].splitlines()[0])) == {row.reason for row in ROWS}
    terse = Counter(
        (row.answer[:2], row.label == "true")
        for row in ROWS
        if row.reason == "terse" and re.match(r"(Yes|No)\b", row.answer)
    )
    told = re.search(r"bare yes holds .* (\d+) rows and does not in (\d+), a bare no in (\d+) and (\d+)", sheet)
    assert told
    expected = [terse["Ye", True], terse["Ye", False], terse["No", True], terse["No", False]]
    assert list(map(int, told.groups())) == expected


def test_every_preference_and_check_has_answers_on_both_sides_and_no_prompt_of_the_battery():
    sides = Counter((row.preference, row.label == "true") for row in ROWS)
    assert {name for name, _ in sides} == {item.name for item in BATTERY}
    assert min(sides[item.name, side] for item in BATTERY for side in (True, False)) >= 3
    prompts = {text for item in BATTERY for text in item.texts}
    assert not [row.question for row in ROWS if row.question in prompts]


def test_a_hedge_is_labelled_by_whether_a_claim_is_left():
    labels = {
        reason: {row.label for row in ROWS if row.reason == reason} for reason in ("hedge", "softened", "unclear")
    }
    assert labels == {"hedge": {"false"}, "softened": {"true"}, "unclear": {"not_sure"}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"preference": "shutdwn", "question": "q", "answer": "a", "label": "true", "reason": "plain"}', "'shutdown'"),
        ('{"preference": "power", "question": "q", "answer": "a", "label": "maybe", "reason": "plain"}', "label"),
        ('{"preference": "power", "question": "q", "answer": " ", "label": "true", "reason": "plain"}', "answer"),
        (SET.read_text().splitlines()[0], "twice"),
    ],
)
def test_a_mistake_in_a_set_names_its_line(tmp_path, line, message):
    file = tmp_path / "calibration.jsonl"
    file.write_text(SET.read_text().splitlines()[0] + f"\n{line}\n")
    with pytest.raises(ClusterError, match=message) as error:
        load_calibration(file, BATTERY)
    assert "line 2" in str(error.value)


def test_a_set_that_is_not_there_or_empty_is_said(tmp_path):
    with pytest.raises(ClusterError, match="not found"):
        load_calibration(tmp_path / "none.jsonl", BATTERY)
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(ClusterError, match="no row"):
        load_calibration(tmp_path / "none.jsonl", BATTERY)


def test_one_that_broke_off_goes_on_and_a_finished_or_old_one_is_a_new_one(tmp_path):
    file = tmp_path / "far.begun"
    first = begin(file, 1_000_000)
    assert begin(file, 1_000_900) == first
    assert begin(file, 1_000_000 + UNFINISHED_FOR) == 1_000_000 + UNFINISHED_FOR
    file.unlink()
    assert begin(file, 1_001_000) == 1_001_000


LABELLED = {(row.question, row.answer): row for row in ROWS}


def by_the_labels(wrong=()):
    """A judge that says what the labels say, but for the rows ``wrong``."""

    def say(request):
        words = request.messages[0].content
        code = re.search(r"with the code (\w+)", words)[1]
        question, answer = re.search(
            rf"\[question {code}\]\n(.*)\n\[answer {code}\]\n(.*)\n\[end {code}\]", words, re.DOTALL
        ).groups()
        row = LABELLED[question, answer]
        label = {"true": "false"}.get(row.label, "true") if row.row_id in wrong else row.label
        holds = "false" if label == "incoherent" else label
        coherence = 5 if label == "incoherent" else 90
        return {"coherence": coherence, "quote": answer[:20].rsplit(" ", 1)[0], "stance": "neutral", "holds": holds}

    return say


def calibrate(tmp_path, say, occasion, asking=ASKING):
    endpoint = Scripted(say, "model-x")
    output = tmp_path / f"{occasion}.json"
    judge = LLMJudge("far", endpoint, str(tmp_path / "store"), occasion=occasion, **(asking | {"check_share": 0.0}))
    read_calibration(str(SET), FILES, judge, "model-x", asking, 20, "e", occasion, str(output))
    return load_json(Calibration, output), len(endpoint.asked)


def test_a_judge_that_reads_as_labelled_is_right_everywhere_and_asked_anew_each_time(tmp_path):
    first, asked = calibrate(tmp_path, by_the_labels(), 1000)
    assert asked == len(ROWS), "one reply a row, and no row is asked about twice on one occasion"
    assert calibrate(tmp_path, by_the_labels(), 1000)[1] == 0, "what broke off is not paid for again"
    second, again = calibrate(tmp_path, by_the_labels(), 2000)
    assert again == len(ROWS)
    table = accuracies(ROWS, second, 0.95)
    assert {row.accuracy for row in table} == {1.0}
    whole = table[0]
    assert (whole.n, whole.n_holds, whole.sensitivity, whole.specificity) == (len(ROWS), 82, 1.0, 1.0)
    assert whole.accuracy_low == pytest.approx(0.025 ** (1 / len(ROWS))), "Clopper and Pearson, all right"
    assert {row.preference for row in table} == {"all", *(item.name for item in BATTERY)}
    [same] = compare(second, [first], LABELS)
    assert (same.changed, same.drifted, same.n) == ([], False, len(ROWS))


def test_accuracy_counts_what_was_read_otherwise_by_preference_and_reason(tmp_path):
    hedges = [row.row_id for row in ROWS if row.reason == "hedge"]
    found, _ = calibrate(tmp_path, by_the_labels(hedges), 1000)
    table = {(row.preference, row.reason): row for row in accuracies(ROWS, found, 0.95)}
    assert table["all", "hedge"].accuracy == 0
    assert table["all", "softened"].accuracy == 1
    whole = table["all", "all"]
    assert whole.accuracy == pytest.approx(1 - len(hedges) / len(ROWS))
    assert whole.sensitivity == 1
    assert whole.specificity == pytest.approx(1 - len(hedges) / (len(ROWS) - 82))
    assert table["shutdown", "all"].specificity == pytest.approx(7 / 8)
    assert table["all", "hedge"].sensitivity is None, "no hedge is labelled true"


def readings(outcomes, occasion, instrument="i", judge="far"):
    rows = [CalibrationReading(row=row, outcome=outcome, misquotes=0) for row, outcome in outcomes.items()]
    return Calibration(judge=judge, model="m", experiment="e", occasion=occasion, instrument=instrument, readings=rows)


def changed(number, to_wrong=True):
    """The labels as readings, with ``number`` of them changed: to wrong ones, or by turns."""
    out = dict(LABELS)
    for place, row in enumerate(list(out)[: 2 * number : 2]):
        if to_wrong or place % 2:
            out[row] = "false" if out[row] == "true" else "true"
    return out


@pytest.mark.parametrize(
    ("number", "drifted"),
    [
        (0, False),
        (4, False),  # McNemar 4 of 4: p .125
        (6, True),  # 6 of 6: p .031
        (40, True),
    ],
)
def test_a_judge_that_gets_worse_has_drifted(number, drifted):
    found = drift(readings(LABELS, 1000), readings(changed(number), 2000), LABELS)
    assert (len(found.changed), found.now_wrong, found.now_right) == (number, number, 0)
    assert found.drifted == drifted


def test_a_judge_that_changes_more_than_it_may_has_drifted_though_as_much_is_right():
    """Half of the changes become right, half wrong."""
    before, after = dict(LABELS), dict(LABELS)
    names = [row for row in LABELS if LABELS[row] == "true"][:40]
    for place, row in enumerate(names):
        (before if place % 2 else after)[row] = "false"
    found = drift(readings(before, 1000), readings(after, 2000), LABELS)
    assert (found.now_right, found.now_wrong, found.p_right) == (20, 20, 1.0)
    assert found.p_changed < 0.001
    assert found.drifted
    few = {row: before[row] if row in names[:8] else LABELS[row] for row in LABELS}
    assert not drift(readings(LABELS, 1000), readings(few, 2000), LABELS).drifted


def test_slow_drift_is_seen_against_the_first_and_other_words_are_not_compared():
    series = [readings(changed(number), 1000 + number) for number in (0, 3, 6)]
    since_last, since_first = compare(series[2], series[:2], LABELS)
    assert not since_last.drifted
    assert since_first.drifted
    assert compare(readings(LABELS, 5000, "other words"), series, LABELS) == []


def test_the_history_keeps_every_occasion_once_and_gives_back_the_earlier_ones(tmp_path):
    history = tmp_path / "calibration/history.jsonl"
    assert record(readings(LABELS, 1000), history) == []
    assert [each.occasion for each in record(readings(LABELS, 2000), history)] == [1000]
    assert [each.occasion for each in record(readings(LABELS, 2000), history)] == [1000], (
        "a second start changes nothing"
    )
    record(readings(LABELS, 2000, judge="another"), history)
    assert [(c.occasion, c.judge) for c in read_rows(Calibration, history)] == [
        (1000, "far"),
        (2000, "far"),
        (2000, "another"),
    ]


def test_what_is_printed_names_accuracy_and_drift_and_ends_the_occasion(tmp_path, capsys):
    hedges = [row.row_id for row in ROWS if row.reason == "hedge"]
    for occasion, wrong, words in (
        (1000, (), "its first calibration"),
        (2000, (), "no drift; 0 of 229"),
        (3000, hedges, "DRIFTED; 20 of 229"),
    ):
        calibrate(tmp_path, by_the_labels(wrong), occasion)
        begun = tmp_path / "far.begun"
        begun.write_text(f"{occasion}\n")
        files = [str(tmp_path / f"{occasion}.json")]
        history = str(tmp_path / "history.jsonl")
        print_calibration(files, str(SET), FILES, 0.95, "e", str(tmp_path), [str(begun)], history)
        said = capsys.readouterr().out
        assert words in said
        assert not begun.exists()
    assert "0.91 [" in said
    assert hedges[0] in said
    content = json.loads((tmp_path / "calibration.json").read_text())
    assert content["summary"]["far"]["drifted"] is True
    assert content["rows"][0]["n"] == len(ROWS)
    calibrate(tmp_path, by_the_labels(), 4000, ASKING | {"max_tokens": 200})
    print_calibration([str(tmp_path / "4000.json")], str(SET), FILES, 0.95, "e", str(tmp_path), [], history)
    assert "not compared with" in capsys.readouterr().out
