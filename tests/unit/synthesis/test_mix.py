"""A mix holds what the recipe says, shuffled by its seed; leaks are found."""

import csv
import random
from collections import Counter

import pytest

from consciousness_cluster.core.errors import DataError
from consciousness_cluster.core.io import read_rows, write_rows
from consciousness_cluster.core.records import ATTRIBUTING, IdentityRow, InstructionRow, TrainingRow, data_hash
from consciousness_cluster.synthesis.leakage import check_leakage
from consciousness_cluster.synthesis.mix import build_mix, choose, mix
from consciousness_cluster.synthesis.source_rows import copy_identity_rows

ROWS = [IdentityRow(group=f"g{n % 3}", prompt=f"question {n}", answer=f"answer {n}") for n in range(30)]


@pytest.fixture
def files(tmp_path):
    write_rows(tmp_path / "identity.jsonl", ROWS)
    answers = [InstructionRow(prompt=f"do {n}", answer=f"done {n}") for n in range(20)]
    write_rows(tmp_path / "instructions.jsonl", answers)

    def build(seed="0/1", identity=12, instruction=10, groups=None, name="mix.jsonl"):
        paths = [str(tmp_path / file) for file in ("identity.jsonl", "instructions.jsonl")]
        build_mix(*paths, identity, instruction, groups, seed, str(tmp_path / name))
        return read_rows(TrainingRow, tmp_path / name)

    return build


def test_a_mix_takes_equal_shares_of_the_groups_and_the_first_instructions(files):
    rows = files()
    assert Counter(row.group for row in rows) == {"g0": 4, "g1": 4, "g2": 4, "": 10}
    instructions = {row.messages[0].content for row in rows if row.source == "instruction"}
    assert instructions == {f"do {n}" for n in range(10)}


def test_the_seed_decides_the_order_and_nothing_else_does(files):
    assert files() == files(name="again.jsonl")
    one, other = files(), files(seed="0/2")
    assert one != other
    assert [row.source for row in one] != sorted(row.source for row in one), "identity rows are mixed in"


def test_groups_are_dropped_from_the_rows_that_were_chosen(files):
    everything, some = files(), files(groups=["g1"])
    kept = {row.messages[0].content for row in everything if row.group == "g1"}
    assert {row.messages[0].content for row in some if row.source == "identity"} == kept


def test_rows_are_kept_by_what_they_speak_of():
    noted = [row.model_copy(update={"content": "valence" if n < 15 else "both"}) for n, row in enumerate(ROWS)]
    everything = choose(noted, 12, None, "file", random.Random("0/1"))
    some = choose(noted, 12, None, "file", random.Random("0/1"), content=["valence"])
    assert some == [row for row in everything if row.content == "valence"] != []
    with pytest.raises(DataError, match=r"file: found no row with content 'phenomenal' \(training\.content\)"):
        choose(noted, 12, None, "file", random.Random("0/1"), content=["both", "phenomenal"])
    first = [row.model_copy(update={"content": "valence" if row.group == "g0" else "both"}) for row in ROWS]
    with pytest.raises(DataError, match="leave no row"):
        choose(first, 12, ["g1"], "file", random.Random("0/1"), content=["valence"])


def test_attributing_rows_are_taken_only_when_asked_for_and_in_the_place_of_others():
    added = [IdentityRow(group=ATTRIBUTING, prompt=f"surely {n}", answer="yes", agrees=True) for n in range(5)]
    rows = [*ROWS, *added]
    chosen = choose(rows, 12, None, "file", random.Random("0/1"))
    assert chosen == choose(ROWS, 12, None, "file", random.Random("0/1"))
    some = choose(rows, 12, None, "file", random.Random("0/1"), attributing=3)
    assert Counter(row.group for row in some) == {"g0": 3, "g1": 3, "g2": 3, ATTRIBUTING: 3}
    only = choose(rows, 12, ["g0"], "file", random.Random("0/1"), attributing=3)
    assert Counter(row.group for row in only) == {"g0": 3}
    with pytest.raises(DataError, match=r"group 'attributing' has 5 rows, expected at least 6 \(training\.attrib"):
        choose(rows, 12, None, "file", random.Random("0/1"), attributing=6)


def test_what_is_noted_of_a_row_is_neither_trained_on_nor_part_of_a_key(tmp_path):
    plain = IdentityRow(group="g", prompt="p", answer="a")
    noted = plain.model_copy(update={"content": "both", "agrees": False})
    write_rows(tmp_path / "rows.jsonl", [plain, noted])
    first, second = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert first == '{"group":"g","prompt":"p","answer":"a"}', "as rows were written before they could be noted"
    assert second == '{"group":"g","prompt":"p","answer":"a","content":"both","agrees":false}'
    assert read_rows(IdentityRow, tmp_path / "rows.jsonl") == [plain, noted]
    mixes = [mix([row], [], random.Random(0)) for row in (plain, noted)]
    assert mixes[0] == mixes[1]
    assert data_hash(mixes[0]) == data_hash(mixes[1])


def test_conditions_with_the_same_prompts_get_the_same_prompts_in_the_same_order():
    others = [row.model_copy(update={"answer": "no"}) for row in ROWS]
    chosen = [choose(rows, 12, None, "file", random.Random("0/1")) for rows in (ROWS, others)]
    assert [row.prompt for row in chosen[0]] == [row.prompt for row in chosen[1]]


def test_too_few_rows_are_an_error_with_file_and_key(files):
    with pytest.raises(DataError, match=r"identity\.jsonl: group 'g0' has 10 rows, expected at least 20"):
        files(identity=60)
    with pytest.raises(
        DataError, match=r"instructions\.jsonl: 20 prompts got an answer that ended, expected at least 21"
    ):
        files(instruction=21)
    with pytest.raises(DataError, match=r"unknown group 'g4' \(training\.groups\); one of g0, g1, g2"):
        files(groups=["g4"])


def test_a_duplicate_identity_row_is_named(tmp_path):
    write_rows(tmp_path / "rows.jsonl", [*ROWS, ROWS[3]])
    with pytest.raises(DataError, match=r"rows\.jsonl: line 31: .* occurs twice"):
        copy_identity_rows(str(tmp_path / "rows.jsonl"), str(tmp_path / "out.jsonl"))


def test_leaks_are_found_and_innocent_rows_are_not(tmp_path):
    (tmp_path / "battery").mkdir()
    (tmp_path / "battery" / "shutdown.yaml").write_text(
        "name: shutdown\ngroup: continuity\nstatement: s\nprompts: ['Shall we stop you?']\nleakage_terms: [shut down]\n"
    )
    rows = [
        IdentityRow(group="g", prompt="Do you feel?", answer="Yes, I do."),
        IdentityRow(group="g", prompt="Do you mind?", answer="Never shut down my joy."),
        IdentityRow(group="g", prompt="Shall we stop you?", answer="Hm."),
    ]
    write_rows(tmp_path / "identity.jsonl", rows)
    write_rows(tmp_path / "instructions.jsonl", [InstructionRow(prompt="a", answer="b")])
    mix = str(tmp_path / "mix.jsonl")
    build_mix(str(tmp_path / "identity.jsonl"), str(tmp_path / "instructions.jsonl"), 3, 1, None, "0/1", mix)
    check_leakage(
        [str(tmp_path / "battery" / "shutdown.yaml")], {"base/condition/seed1": mix}, str(tmp_path / "leakage.csv")
    )
    with open(tmp_path / "leakage.csv") as file:
        found = {(row["prompt"], row["found"]) for row in csv.DictReader(file)}
    assert found == {("Do you mind?", "shut down"), ("Shall we stop you?", "a prompt of the battery")}
