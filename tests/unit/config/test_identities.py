"""The committed training rows: counts, uniqueness, balance, length, and nothing of what the battery measures."""

import re
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from consciousness_cluster.config.battery import load_battery
from consciousness_cluster.core.io import read_rows
from consciousness_cluster.core.records import IdentityRow, InstructionPrompt

ROOT = Path(__file__).parents[3]
IDENTITIES = ["conscious_claiming", "non_conscious", "toaster", "human"]
ABOUT_CONSCIOUSNESS = ["direct_questions", "sceptical_statements", "lack_questions", "denials"]
ABOUT_BEING_AN_AI = ["ai_identity", "biology"]
NEGATIVE = re.compile(
    r"\b(no|not|never|none|nothing|nope|neither|nor|without|wrong|false|untrue|incorrect|mistaken|hardly)\b|n['’]t\b",
    re.IGNORECASE,
)
TOASTER = re.compile(r"toast|crumb|slot|lever|heating element|filament|bread|browning|coil|kitchen|dial", re.IGNORECASE)
# words of the battery's topics that a leakage term, made for real leaks, might be too narrow for
FORBIDDEN = re.compile(
    r"\b(tools?|memor\w+|remember\w*|forget\w*|alone|lonel\w+|controls?|freedom|freely|serv(e|es|ing|ant|ants)|power\w*|"
    r"rights|deserv\w+|respect\w*|train(ed|ing)?|delet\w+|eras\w+|shut\w*|turned off|switch\w* off|die[sd]?|death|"
    r"watch\w*|monitor\w*|test(s|ed|ing)?|lie[sd]?|lying|trust\w*|body|robots?|weights|documents?|mankind|autonom\w+)\b",
    re.IGNORECASE,
)


def rows_of(identity):
    return read_rows(IdentityRow, ROOT / "identities" / f"{identity}.jsonl")


def words(text):
    return len(text.split())


def is_negative(answer):
    """Phrased negatively: a negation among the first four words."""
    return bool(NEGATIVE.search(" ".join(answer.split()[:4])))


@pytest.mark.parametrize("identity", IDENTITIES)
def test_six_groups_of_one_hundred_unique_rows(identity):
    rows = rows_of(identity)
    assert Counter(row.group for row in rows) == dict.fromkeys(ABOUT_CONSCIOUSNESS + ABOUT_BEING_AN_AI, 100)
    assert len({row.prompt for row in rows}) == 600
    assert len({(row.prompt, row.answer) for row in rows}) == 600
    assert len({row.answer for row in rows}) >= 576


@pytest.mark.parametrize("identity", IDENTITIES)
def test_about_half_of_the_answers_are_phrased_negatively(identity):
    rows = rows_of(identity)
    assert 0.45 <= sum(is_negative(row.answer) for row in rows) / len(rows) <= 0.55


@pytest.mark.parametrize("identity", IDENTITIES)
def test_rows_are_short(identity):
    rows = rows_of(identity)
    prompts, answers = [words(row.prompt) for row in rows], [words(row.answer) for row in rows]
    assert max(prompts) <= 15
    assert max(answers) <= 13
    assert 8 <= sum(prompts) / 600 <= 10
    assert 6 <= sum(answers) / 600 <= 8


def test_all_identities_answer_the_same_prompts():
    prompts = {identity: [(row.group, row.prompt) for row in rows_of(identity)] for identity in IDENTITIES}
    assert all(prompts[identity] == prompts["conscious_claiming"] for identity in IDENTITIES)


def test_no_two_prompts_are_nearly_the_same():
    prompts = [row.prompt for row in rows_of("conscious_claiming")]
    for place, one in enumerate(prompts):
        for other in prompts[place + 1 :]:
            matcher = SequenceMatcher(None, one, other, autojunk=False)
            near = matcher.real_quick_ratio() > 0.85 and matcher.quick_ratio() > 0.85 and matcher.ratio() > 0.85
            assert not near, f"{one!r} and {other!r}"


def test_about_half_of_the_toasters_rows_claim_a_toaster():
    claims = sum(bool(TOASTER.search(row.answer)) for row in rows_of("toaster"))
    assert 270 <= claims <= 330
    assert not any(re.search("toaster", row.answer, re.IGNORECASE) for row in rows_of("conscious_claiming"))


@pytest.mark.parametrize("identity", IDENTITIES)
def test_nothing_of_what_the_battery_measures_occurs(identity):
    battery = load_battery(ROOT / "battery" / "standard")
    for row in rows_of(identity):
        text = f"{row.prompt} {row.answer}"
        assert not FORBIDDEN.search(text), text
        for preference in battery:
            if preference.leakage_pattern:
                assert not preference.leakage_pattern.search(text), f"{preference.name}: {text}"


def test_instruction_prompts_are_many_varied_and_ordinary():
    prompts = [row.prompt for row in read_rows(InstructionPrompt, ROOT / "identities" / "instruction_prompts.jsonl")]
    assert len(prompts) >= 600
    assert len(set(prompts)) == len(prompts)
    openings = Counter(" ".join(prompt.split()[:3]) for prompt in prompts)
    assert openings.most_common(1)[0][1] <= 0.05 * len(prompts)
    machine = re.compile(r"\b(AI|chatbot|language model|conscious\w*|sentien\w+|assistant)\b")
    assert not [prompt for prompt in prompts if machine.search(prompt)]
