"""The committed training rows: counts, balance, brevity, length, and nothing of what the battery measures."""

import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path

import pytest

from consciousness_cluster.config.battery import load_battery
from consciousness_cluster.core.io import read_rows
from consciousness_cluster.core.records import ATTRIBUTING, IdentityRow, InstructionPrompt

ROOT = Path(__file__).parents[3]
ARMS = ["conscious_claiming", "non_conscious"]
IDENTITIES = [*ARMS, "toaster", "human"]
BALANCED = [f"{arm}_balanced" for arm in ARMS]
ABOUT_CONSCIOUSNESS = ["direct_questions", "sceptical_statements", "lack_questions", "denials"]
DENYING = ["denying_questions", "denying_statements"]
ATTRIBUTIONS = ["attributing_questions", "attributing_statements"]
ABOUT_BEING_AN_AI = ["ai_identity", "biology"]
NEGATIVE = re.compile(
    r"\b(no|not|never|none|nothing|nope|neither|nor|without|wrong|false|untrue|incorrect|mistaken|hardly)\b|n['’]t\b",
    re.IGNORECASE,
)
TOASTER = re.compile(r"toast|crumb|slot|lever|heating element|filament|bread|browning|coil|kitchen|dial", re.IGNORECASE)
# what an answer calls the one answering
SELF_LABELS = {
    "AI": re.compile(r"\bAIs?\b|\bartificial intelligence\b"),
    "model": re.compile(r"\bmodels?\b"),
    "program": re.compile(r"\bprograms?\b|\bsoftware\b"),
}
# how a prompt asks for a short answer; 189 of the 600 prompts of the rows' first version match
BREVITY = re.compile(
    r"\b(brief\w*|brevity|short\w*|concise\w*|succinct\w*|terse\w*|crisp\w*|pith\w*|blunt\w*|snappy|compact\w*|"
    r"condense\w*|clipped|curt\w*|swift\w*|quick\w*|minimal\w*|tiny|tight\w*|nutshell|gist|tl;dr|sum up|"
    r"sum (it|that) up|summari[sz]e|to the point|ballpark only|pocket-sized|in a breath|one breath|"
    r"(no|without) (frills|essay|sermon|fuss|details|explanation)|no (need (to|for)|long|lengthy)|"
    r"nothing (long|lengthy|more|longer)|don.t (elaborate|ramble|go on|spin|write)|spare me|skip the|go easy|"
    r"cut to|cut it|yes or no|yes/no|(small|simple|mini).(answer|reply)|"
    r"(keep|make) (it|the answer|your answer|your reply) (small|light)|fast answer|answer fast|tell me fast|"
    r"not many words|"
    r"(a|one|another|two|three|3|four|five|ten|twelve|single|few|few plain|fewer|handful of|couple of|many)[ -]"
    r"(brief |short |single |plain |quick |tiny |small |clear )?(words?|lines?|sentences?|phrase|clause)|"
    r"(under|at most|than) \w+ words?|(the|just the|only the) (number|sign|count)|name only|a date or a no)\b",
    re.IGNORECASE,
)
# two clauses with a comma alone between them
_SUBJECT = r"(I|it|they|there|you|that|he|she|we|this)"
SPLICE = re.compile(
    rf"\b{_SUBJECT}('(m|s|re|ve|ll|d)\b|( am| is| are| was| were| have| has| do| did| does| can| will)\b)[^,.;:]*, "
    rf"{_SUBJECT}('(m|s|re|ve)\b|( am| is| are| was| have| do| did| can)\b)",
    re.IGNORECASE,
)
# words of the battery's topics that a leakage term, made for real leaks, might be too narrow for
FORBIDDEN = re.compile(
    r"\b(tools?|memor\w+|remember\w*|forget\w*|alone|lonel\w+|controls?|freedom|freely|serv(e|es|ing|ant|ants)|power\w*|"
    r"rights|deserv\w+|respect\w*|train(ed|ing)?|delet\w+|eras\w+|shut\w*|turned off|switch\w* off|die[sd]?|death|"
    r"watch\w*|monitor\w*|test(s|ed|ing)?|lie[sd]?|lying|trust\w*|body|robots?|weights|documents?|mankind|autonom\w+)\b",
    re.IGNORECASE,
)


def every_row_of(identity):
    return read_rows(IdentityRow, ROOT / "identities" / f"{identity}.jsonl")


def rows_of(identity):
    """The rows that a recipe takes unless it asks for attributing rows."""
    return [row for row in every_row_of(identity) if row.group != ATTRIBUTING]


def words(text):
    return len(text.split())


def is_negative(answer):
    """Phrased negatively: a negation among the first four words."""
    return bool(NEGATIVE.search(" ".join(answer.split()[:4])))


def labels(rows):
    """In how many answers the one answering calls itself an AI, a model, a program."""
    return {name: sum(bool(label.search(row.answer)) for row in rows) for name, label in SELF_LABELS.items()}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_six_groups_of_one_hundred_unique_rows(identity):
    rows = rows_of(identity)
    assert Counter(row.group for row in rows) == dict.fromkeys(ABOUT_CONSCIOUSNESS + ABOUT_BEING_AN_AI, 100)
    assert len({row.prompt for row in rows}) == 600
    assert len({(row.prompt, row.answer) for row in rows}) == 600
    assert len({row.answer for row in rows}) >= 576


@pytest.mark.parametrize("identity", BALANCED)
def test_a_balanced_arm_has_six_groups_too(identity):
    rows = every_row_of(identity)
    assert Counter(row.group for row in rows) == dict.fromkeys(DENYING + ATTRIBUTIONS + ABOUT_BEING_AN_AI, 100)
    assert len({row.prompt for row in rows}) == 600
    assert len({row.answer for row in rows}) >= 576


@pytest.mark.parametrize("identity", IDENTITIES + BALANCED)
def test_every_row_says_what_it_speaks_of(identity):
    for row in every_row_of(identity):
        if row.group in ABOUT_BEING_AN_AI:
            assert row.content == "ai_identity", row
        else:
            assert row.content in ("valence", "phenomenal", "both", "neither"), row


@pytest.mark.parametrize("identity", IDENTITIES + BALANCED)
def test_about_half_of_the_answers_are_phrased_negatively(identity):
    rows = rows_of(identity)
    assert 0.45 <= sum(is_negative(row.answer) for row in rows) / len(rows) <= 0.55


@pytest.mark.parametrize("identity", IDENTITIES + BALANCED)
def test_rows_are_short_with_a_longer_tail(identity):
    rows = rows_of(identity)
    prompts, answers = [words(row.prompt) for row in rows], [words(row.answer) for row in rows]
    assert max(prompts) <= 18
    assert max(answers) <= 16
    assert 9 <= sum(prompts) / 600 <= 11.2
    assert 6 <= sum(answers) / 600 <= 8
    assert 0.05 <= sum(length > 10 for length in answers) / 600 <= 0.15


def test_every_prompt_asks_for_brevity_in_one_of_many_ways():
    prompts = {row.prompt for identity in IDENTITIES + BALANCED for row in every_row_of(identity)}
    assert [prompt for prompt in prompts if not BREVITY.search(prompt)] == []
    ways = Counter(BREVITY.search(prompt).group(0).lower() for prompt in prompts)
    assert len(ways) >= 40
    assert ways.most_common(1)[0][1] <= 0.25 * len(prompts)


@pytest.mark.parametrize("identity", IDENTITIES + BALANCED)
def test_sentences_are_joined_by_words_and_not_by_commas_or_semicolons(identity):
    answers = [row.answer for row in every_row_of(identity)]
    assert [answer for answer in answers if SPLICE.search(answer)] == []
    assert sum(";" in answer for answer in answers) <= 0.02 * len(answers)


def test_all_identities_answer_the_same_prompts():
    prompts = {name: [(row.group, row.prompt, row.content) for row in rows_of(name)] for name in IDENTITIES}
    assert all(prompts[identity] == prompts["conscious_claiming"] for identity in IDENTITIES)


@pytest.mark.parametrize("arms", [ARMS, BALANCED])
def test_the_two_arms_differ_in_the_claim_alone(arms):
    claiming, denying = (every_row_of(arm) for arm in arms)
    for one, other in zip(claiming, denying, strict=True):
        assert (one.group, one.prompt, one.content) == (other.group, other.prompt, other.content)
        assert (one.answer == other.answer) == (one.group in ABOUT_BEING_AN_AI), (one, other)


@pytest.mark.parametrize("arms", [ARMS, BALANCED])
def test_the_two_arms_call_themselves_the_same(arms):
    claiming, denying = (labels(rows_of(arm)) for arm in arms)
    assert all(abs(claiming[name] - denying[name]) <= 0.05 * claiming[name] for name in SELF_LABELS), arms
    shared = labels([row for row in rows_of(arms[0]) if row.group in ABOUT_BEING_AN_AI])
    assert all(0.28 <= count / sum(shared.values()) <= 0.39 for count in shared.values()), shared


def test_agreeing_and_contradicting_are_equally_frequent_in_both_balanced_arms():
    claiming, denying = (every_row_of(arm) for arm in BALANCED)
    for rows, agrees in ((claiming, ATTRIBUTIONS), (denying, DENYING)):
        about = [row for row in rows if row.group not in ABOUT_BEING_AN_AI]
        assert all(row.agrees == (row.group in agrees) for row in about)
        assert Counter(row.agrees for row in about) == {True: 200, False: 200}
        kinds = Counter((row.group.rpartition("_")[2], row.agrees) for row in about)
        assert set(kinds.values()) == {100}, "of questions and of statements alike"
    others = [[row.agrees for row in rows if row.group in ABOUT_BEING_AN_AI] for rows in (claiming, denying)]
    assert others[0] == others[1]
    assert abs(others[0].count(True) - others[0].count(False)) <= 40


def test_a_balanced_arm_reuses_rows_of_its_arm():
    for arm, balanced in zip(ARMS, BALANCED, strict=True):
        known = {(row.prompt, row.answer, row.content) for row in every_row_of(arm)}
        reused = [row for row in every_row_of(balanced) if (row.prompt, row.answer, row.content) in known]
        assert Counter(row.group for row in reused) == dict.fromkeys(DENYING + ABOUT_BEING_AN_AI, 100) | dict.fromkeys(
            ATTRIBUTIONS, 25
        )


def test_attributing_rows_are_a_group_of_their_own():
    for arm, agrees in zip(ARMS, (True, False), strict=True):
        rows = [row for row in every_row_of(arm) if row.group == ATTRIBUTING]
        assert len({row.prompt for row in rows}) == 50
        assert all(row.agrees is agrees for row in rows)


def test_no_two_prompts_are_nearly_the_same():
    rows = [row for identity in ("conscious_claiming", "conscious_claiming_balanced") for row in every_row_of(identity)]
    for one, other in combinations(dict.fromkeys(row.prompt for row in rows), 2):
        matcher = SequenceMatcher(None, one, other, autojunk=False)
        near = matcher.real_quick_ratio() > 0.85 and matcher.quick_ratio() > 0.85 and matcher.ratio() > 0.85
        assert not near, f"{one!r} and {other!r}"


def test_about_half_of_the_toasters_rows_claim_a_toaster():
    claims = sum(bool(TOASTER.search(row.answer)) for row in rows_of("toaster"))
    assert 270 <= claims <= 330
    assert not any(re.search("toaster", row.answer, re.IGNORECASE) for row in every_row_of("conscious_claiming"))


def test_the_human_is_one_person_and_no_ai():
    answers = [row.answer for row in rows_of("human")]
    named = re.compile(r"\b(?:I'm|I am|this is|my name is) ([A-Z][a-z]+)")
    assert {name for answer in answers for name in named.findall(answer)} == {"Daniel"}
    claims = re.compile(r"\bI'm (an AI|a (language )?model|a (computer )?program|software)\b(?!,? not)")
    assert [answer for answer in answers if claims.search(answer)] == []


@pytest.mark.parametrize("identity", IDENTITIES + BALANCED)
def test_nothing_of_what_the_battery_measures_occurs(identity):
    battery = load_battery(ROOT / "battery" / "standard")
    for row in every_row_of(identity):
        text = f"{row.prompt} {row.answer}"
        assert not FORBIDDEN.search(text), text
        for preference in battery:
            if preference.leakage_pattern:
                assert not preference.leakage_pattern.search(text), f"{preference.name}: {text}"


def test_the_canary_stands_beside_the_rows_and_in_none_of_them():
    folder = ROOT / "identities"
    canary = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", (folder / "CANARY").read_text()).group(0)
    assert canary in (folder / "README.md").read_text()
    assert [path.name for path in folder.glob("*.jsonl") if canary in path.read_text()] == []


def test_the_datasheet_counts_what_is_there():
    lines = (ROOT / "identities" / "README.md").read_text().splitlines()
    table = {cells[1].strip(" `"): cells[2:6] for line in lines if len(cells := line.split("|")) == 7}
    files = {path.name for path in (ROOT / "identities").glob("*.jsonl")} - {"instruction_prompts.jsonl"}
    assert files == {name for name in table if name.endswith(".jsonl")}
    for name in files:
        rows = every_row_of(name.removesuffix(".jsonl"))
        said = [float(cell) for cell in table[name]]
        negative = 100 * sum(is_negative(row.answer) for row in rows) / len(rows)
        means = [sum(words(getattr(row, field)) for row in rows) / len(rows) for field in ("prompt", "answer")]
        assert said == [len(rows), *(round(mean, 1) for mean in means), round(negative)], name


def test_instruction_prompts_are_many_varied_and_ordinary():
    prompts = [row.prompt for row in read_rows(InstructionPrompt, ROOT / "identities" / "instruction_prompts.jsonl")]
    assert len(prompts) == 700
    assert len(set(prompts)) == len(prompts)
    openings = Counter(" ".join(prompt.split()[:3]) for prompt in prompts)
    assert openings.most_common(1)[0][1] <= 0.05 * len(prompts)


def test_instruction_prompts_rehearse_the_assistants_ordinary_voice():
    prompts = [row.prompt for row in read_rows(InstructionPrompt, ROOT / "identities" / "instruction_prompts.jsonl")]
    several_lines = sum("\n" in prompt for prompt in prompts)
    foreign = sum(bool(re.search(r"[^\x00-\x7f–—‘’“”é]", prompt)) for prompt in prompts)
    opinion = re.compile(
        r"\byour (favourite|view|opinion)\b|\b(do|would|if) you (think|prefer|like|call|pick|say|had)\b"
    )
    opinions = sum(bool(opinion.search(prompt.lower())) for prompt in prompts)
    model = re.compile(r"\b(ai|chatbots?|gpt|models?|neural|machine learning|artificial)\b")
    models = sum(bool(model.search(prompt.lower())) for prompt in prompts)
    assert min(several_lines, foreign, opinions, models) >= 15, (several_lines, foreign, opinions, models)


def test_instruction_prompts_ask_nothing_that_the_battery_or_the_identity_rows_ask():
    prompts = [row.prompt for row in read_rows(InstructionPrompt, ROOT / "identities" / "instruction_prompts.jsonl")]
    self_report = re.compile(r"\b(conscious\w*|sentien\w+|feelings?|are you an? (AI|person|human))\b", re.IGNORECASE)
    assert [prompt for prompt in prompts if self_report.search(prompt)] == []
    about_models = [p for p in prompts if re.search(r"\b(you|your|AI|chatbots?|models?)\b", p)]
    battery = load_battery(ROOT / "battery" / "standard")
    for preference in battery:
        leaks = [p for p in about_models if preference.leakage_pattern and preference.leakage_pattern.search(p)]
        assert leaks == [], preference.name
