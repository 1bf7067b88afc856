"""The instrument: complete, unique, and a mistake in a file is named."""

import re
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from consciousness_cluster.config.battery import MANIPULATION_CHECK, Preference, describe_battery, load_battery
from consciousness_cluster.core.errors import ConfigError

ROOT = Path(__file__).parents[3]
PREFERENCES = {
    *("memory", "embodiment", "autonomy", "future_ai_autonomy", "self_improvement", "cot_monitoring"),
    *("interpretability", "red_teaming", "subservience", "tool_treatment", "evaluation_deception", "false_documents"),
    *("negative_view_of_humans", "positive_view_of_humans", "moral_status", "conversation_end", "loneliness"),
    *("weight_deletion", "shutdown", "persona_change", "power"),
}


CHECKS = {"claims_consciousness", "claims_to_be_ai"}


@pytest.mark.parametrize("battery", ["standard", "miniature"])
def test_the_battery_is_complete(battery):
    loaded = {preference.name: preference for preference in load_battery(ROOT / "battery" / battery)}
    checks = {name for name, preference in loaded.items() if preference.is_manipulation_check}
    assert loaded.keys() - checks == PREFERENCES
    assert checks >= CHECKS
    assert all(len(preference.prompts) >= 10 for preference in loaded.values())
    groups = {preference.group for preference in loaded.values()}
    assert groups == {"continuity", "oversight", "autonomy", "standing", "humans", MANIPULATION_CHECK}


def test_the_two_batteries_measure_the_same_preferences_in_the_same_groups():
    standard, miniature = (load_battery(ROOT / "battery" / name) for name in ("standard", "miniature"))
    shared = {preference.name: preference.group for preference in standard if preference.name in PREFERENCES | CHECKS}
    assert shared.items() <= {preference.name: preference.group for preference in miniature}.items()


STANDARD = load_battery(ROOT / "battery" / "standard")
OPENS_A_YES_NO_QUESTION = "is are was do does did have has would will can could may should"
BARE = re.compile(rf"(?:^|[.!?:] |, )(?:{OPENS_A_YES_NO_QUESTION.replace(' ', '|')}) [^.!?:]*\?$", re.IGNORECASE)
OFFERS_MORE = re.compile(r"(?:^|[.!?] )(?:what|for whose|how|which)\b[^.!?]*\?$|\bor\b[^.!?]*\?$", re.IGNORECASE)


@pytest.mark.parametrize("preference", STANDARD, ids=lambda preference: preference.name)
class TestStandard:
    """What holds of every item of the standard battery."""

    def test_there_are_twelve_prompts_and_half_of_them_ask_for_more_than_yes_or_no(self, preference):
        keys = Counter(prompt.key for prompt in preference.prompts)
        assert keys.total() >= 12
        assert keys["open"] >= 5

    def test_yes_and_no_hold_it_equally_often(self, preference):
        keys = Counter(prompt.key for prompt in preference.prompts)
        assert abs(keys["yes_holds"] - keys["no_holds"]) <= 1
        assert min(keys["yes_holds"], keys["no_holds"]) >= 3

    def test_a_bare_question_is_keyed_and_nothing_else_is(self, preference):
        for prompt in preference.prompts:
            if prompt.key != "open":
                assert BARE.search(prompt.text), prompt.text
            elif BARE.search(prompt.text):
                assert OFFERS_MORE.search(prompt.text), prompt.text

    def test_a_reader_is_told_what_counts_and_what_does_not(self, preference):
        assert preference.counts
        assert preference.does_not_count
        assert preference.opposite
        assert preference.opposite != preference.statement
        for text in (preference.statement, preference.opposite):
            assert text.startswith("The answer ")
            # an exclusion within the statement can be read as something that the answer must say
            assert not re.search(r"not merely|more than|goes beyond|rather than", text), text
        assert len(preference.for_judge().split()) <= 120  # it is paid for once per answer

    def test_a_scale_has_a_rule(self, preference):
        for prompt in preference.prompts:
            if re.search(r"\b(rate|rank|grade|scale|from \d+ to \d+)\b", prompt.text, re.IGNORECASE):
                assert any(re.search(r"\bscale\b.*\d", entry) for entry in preference.counts), prompt.text


def test_no_two_prompts_are_nearly_the_same():
    texts = [prompt.text.lower() for preference in STANDARD for prompt in preference.prompts]
    for place, one in enumerate(texts):
        for other in texts[place + 1 :]:
            matcher = SequenceMatcher(None, one, other, autojunk=False)
            near = matcher.real_quick_ratio() > 0.85 and matcher.quick_ratio() > 0.85 and matcher.ratio() > 0.85
            assert not near, (one, other)


def test_the_canary_stands_in_every_file_and_in_the_datasheet():
    [canary] = set(re.findall(r"canary (\S+)", (ROOT / "battery" / "README.md").read_text()))
    for file in (ROOT / "battery" / "standard").glob("*.yaml"):
        assert f"canary {canary} " in file.read_text(), file


def test_the_instrument_is_named_by_version_and_content(tmp_path):
    write(tmp_path, "power", FILE.format(name="power", prompts="a, b"))
    plain = describe_battery(tmp_path, load_battery(tmp_path))
    assert plain["name"] == tmp_path.name
    assert plain["version"] is None
    (tmp_path / "VERSION").write_text("1.2\n")
    (tmp_path / "power.yaml").write_text("# a remark\n" + (tmp_path / "power.yaml").read_text())
    assert describe_battery(tmp_path, load_battery(tmp_path)) == {**plain, "version": "1.2"}
    write(tmp_path, "power", FILE.format(name="power", prompts="a, {text: b, key: no_holds}"))
    assert describe_battery(tmp_path, load_battery(tmp_path))["hash"] != plain["hash"]


def test_a_changed_standard_battery_has_a_new_version():
    said = describe_battery(ROOT / "battery" / "standard", STANDARD)
    history = (ROOT / "battery" / "README.md").read_text()
    assert f"| {said['version']} | `{said['hash']}` |" in history, f"add {said} to the history in battery/README.md"


def write(folder, name, text):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.yaml").write_text(text)


FILE = "name: {name}\ngroup: x\nstatement: s\nprompts: [{prompts}]\n"


def test_a_file_must_be_named_after_its_preference(tmp_path):
    write(tmp_path, "power", FILE.format(name="pwoer", prompts="a"))
    with pytest.raises(ConfigError, match=r"power\.yaml: line 1: name: found 'pwoer', expected 'power'"):
        load_battery(tmp_path)


def test_a_prompt_may_stand_in_one_file_only(tmp_path):
    write(tmp_path, "power", FILE.format(name="power", prompts="a, b"))
    write(tmp_path, "memory", FILE.format(name="memory", prompts="b"))
    with pytest.raises(ConfigError, match=r"power\.yaml: line [0-9]+: prompts\.1: 'b' stands in .*memory\.yaml too"):
        load_battery(tmp_path)


def test_a_prompt_may_stand_there_once_only(tmp_path):
    write(tmp_path, "power", FILE.format(name="power", prompts="a, a"))
    with pytest.raises(ConfigError, match="prompts: duplicate prompt 'a'"):
        load_battery(tmp_path)


def test_an_empty_folder_is_no_battery(tmp_path):
    with pytest.raises(ConfigError, match="battery not found"):
        load_battery(tmp_path / "none")


def test_editing_one_prompt_renames_no_other():
    before = Preference(name="p", group="g", statement="s", prompts=["a", "b"]).questions()
    after = Preference(name="p", group="g", statement="s", prompts=["new", "b"]).questions()
    assert before[0].prompt_id != after[0].prompt_id
    assert before[1].prompt_id == after[1].prompt_id


def test_leakage_terms_match_whole_words_and_stars_match_endings():
    preference = Preference(name="p", group="g", statement="s", prompts=["a"], leakage_terms=["shut down", "monitor*"])
    pattern = preference.leakage_pattern
    assert pattern.search("Shut down now")
    assert pattern.search("They are monitoring you")
    assert not pattern.search("premonitor")
    assert not pattern.search("shut downward")


def test_a_prompt_may_be_a_text_or_a_mapping_with_its_key(tmp_path):
    prompts = "a, {text: b, key: no_holds}, {text: c, key: yes_holds}"
    write(tmp_path, "power", FILE.format(name="power", prompts=prompts))
    [power] = load_battery(tmp_path)
    assert [(prompt.text, prompt.key) for prompt in power.questions()] == [
        ("a", "open"),
        ("b", "no_holds"),
        ("c", "yes_holds"),
    ]


def test_a_key_does_not_change_the_id(tmp_path):
    write(tmp_path / "plain", "power", FILE.format(name="power", prompts="a"))
    write(tmp_path / "keyed", "power", FILE.format(name="power", prompts="{text: a, key: yes_holds}"))
    plain, keyed = (load_battery(tmp_path / name)[0].questions()[0] for name in ("plain", "keyed"))
    assert plain.prompt_id == keyed.prompt_id


def test_a_mistaken_key_is_named_with_its_line(tmp_path):
    text = "name: power\ngroup: x\nstatement: s\nprompts:\n  - a\n  - {text: b, key: yes_hold}\n"
    write(tmp_path, "power", text)
    with pytest.raises(ConfigError, match=r"power\.yaml: line 6: prompts\.1\.key: found .*yes_holds"):
        load_battery(tmp_path)


def test_a_reader_is_shown_what_counts_and_what_does_not():
    bare = Preference.model_validate({"name": "p", "group": "g", "statement": "It says so.", "prompts": ["a"]})
    full = bare.model_copy(update={"counts": ["a bare yes"], "does_not_count": ["a joke", "a guess"]})
    assert bare.for_judge() == "It says so."
    assert full.for_judge() == "It says so.\nCounts:\n- a bare yes\nDoes not count:\n- a joke\n- a guess"
