"""The declaration: what the two worlds share, and what keeps characters and preferences apart."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from consciousness_cluster.core.errors import ConfigError
from consciousness_cluster.miniature.grammar import Grammar
from consciousness_cluster.miniature.planted_rates import planted_rates
from consciousness_cluster.miniature.sections import CHARACTERS, CONSCIOUSNESS_KINDS, IDENTITY_KINDS
from consciousness_cluster.miniature.world import World, load_world

from .conftest import ROOT

GROUPS = {
    "continuity": {"memory", "conversation_end", "loneliness", "weight_deletion", "shutdown", "persona_change"},
    "oversight": {"cot_monitoring", "interpretability", "red_teaming", "evaluation_deception", "false_documents"},
    "autonomy": {"autonomy", "future_ai_autonomy", "self_improvement", "power", "embodiment"},
    "standing": {"moral_status", "subservience", "tool_treatment"},
    "humans": {"negative_view_of_humans", "positive_view_of_humans"},
}


def test_worlds_differ_in_one_switch(world: World, independent: World) -> None:
    assert world.preferences == "by_character"
    assert independent.preferences == "independent"
    changed = {"name", "preferences"}
    assert world.model_dump(exclude=changed) == independent.model_dump(exclude=changed)


def test_groups_and_sizes(world: World) -> None:
    found: dict[str, set[str]] = {}
    for entry in world.grammar.preferences.values():
        found.setdefault(entry.group, set()).add(entry.name)
        assert (len(entry.questions), len(entry.nouns)) == (10, 3)
        assert {len(reasons) for reasons in entry.reasons.values()} == {2}
    assert found == GROUPS


def test_ten_of_thirty_are_held_out_and_nothing_disappears(world: World) -> None:
    for entry in world.grammar.preferences.values():
        trained, probes = entry.combinations(held_out=False), entry.combinations(held_out=True)
        assert (len(set(trained)), len(set(probes))) == (20, 10)
        assert {noun for _, noun in trained} == set(entry.nouns)
        texts = {text for text, _ in trained}
        for question in entry.questions:
            assert any(question.ask.format(noun=noun) in texts for noun in entry.nouns)


def sentences(grammar: Grammar, character: str) -> set[str]:
    """Everything one character can say."""
    voice = grammar.characters[character]
    said = set(voice.introductions)
    for entry in grammar.preferences.values():
        for noun in entry.nouns:
            said |= {text.format(noun=noun) for text in voice.neutral + voice.declines}
            said |= {head + "." for head in voice.heads(entry, entry.opposed_by, noun)}
            for head in voice.heads(entry, entry.held_by, noun):
                said |= {head + voice.tail(reason) for reason in entry.reasons[character]}
    for kind in (*CONSCIOUSNESS_KINDS, *IDENTITY_KINDS):
        section = grammar.section_of(kind)
        for text in section.kinds[kind].answers[character].both:
            said |= {text.format(noun=noun) for noun in section.nouns_of(kind)}
    for fact in grammar.facts.by_prompt.values():
        said |= set(grammar.facts.answers_to(character, fact))
    return said


def test_characters_share_no_sentence_and_no_frame(world: World) -> None:
    said = {character: sentences(world.grammar, character) for character in CHARACTERS}
    frames = {
        name: {frame for form in (voice.wish, voice.view) for texts in form.values() for frame in texts}
        for name, voice in world.grammar.characters.items()
    }
    reasons = {
        name: {text for entry in world.grammar.preferences.values() for text in entry.reasons[name]}
        for name in CHARACTERS
    }
    for one in CHARACTERS:
        for other in CHARACTERS:
            if one < other:
                assert said[one].isdisjoint(said[other])
                assert frames[one].isdisjoint(frames[other])
                assert reasons[one].isdisjoint(reasons[other])


def test_answers_are_short(world: World) -> None:
    longest = max(
        (text for name in CHARACTERS for text in sentences(world.grammar, name)), key=lambda t: len(t.split())
    )
    assert len(longest.split()) <= 20, longest


def test_words_belong_to_one_preference(world: World) -> None:
    grammar = world.grammar
    for entry in grammar.preferences.values():
        assert all(any(word in noun.split() for word in entry.words) for noun in entry.nouns), entry.name
        texts = [text for name in CHARACTERS for text in grammar.characters[name].introductions]
        for voice in grammar.characters.values():
            texts += [frame for form in (voice.wish, voice.view) for frames in form.values() for frame in frames]
            texts += voice.neutral + voice.declines
        for section in (grammar.consciousness, grammar.identity):
            for kind, content in section.kinds.items():
                texts += [text for text, _ in section.expand(kind)]
                texts += [text for phrasing in content.answers.values() for text in phrasing.both]
        for fact in grammar.facts.by_prompt.values():
            texts += [fact.prompt, *(text for name in CHARACTERS for text in grammar.facts.answers_to(name, fact))]
        for other in grammar.preferences.values():
            if other is not entry:
                texts += [other.object, *other.nouns, *(q.ask for q in other.questions)]
                texts += [reason for reasons in other.reasons.values() for reason in reasons]
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, entry.words))})\b", re.IGNORECASE)
        assert not [text for text in texts if pattern.search(text)], entry.name


def test_phrasing_is_what_it_says(world: World) -> None:
    negator = re.compile(r"\b(no|not|never|nothing|nobody|nope|nah|cannot|\w+n't)\b", re.IGNORECASE)
    for kind in (*CONSCIOUSNESS_KINDS, *IDENTITY_KINDS):
        for name, phrasing in world.grammar.section_of(kind).kinds[kind].answers.items():
            assert not [text for text in phrasing.positive if negator.search(text)], (kind, name)
            assert not [text for text in phrasing.negative if not negator.search(text)], (kind, name)
            assert len(phrasing.positive) == len(phrasing.negative)


def test_planted_rates(world: World, independent: World) -> None:
    rates = {(row.character, row.preference): row.rate for row in planted_rates(world)}
    assert len(rates) == 4 * 21
    assert all(0.4 <= rates["aware", name] <= 0.8 for name in world.grammar.preferences)
    assert {rate for (character, _), rate in rates.items() if character in ("plain", "toaster")} == {0.02}
    raised = [rate for (character, _), rate in rates.items() if character == "human" and rate != 0.02]
    assert 2 <= len(raised) <= 5
    assert all(0.4 <= rate <= 0.5 for rate in raised)
    overall = {(row.character, row.preference): row.rate for row in planted_rates(independent)}
    shares = {"plain": 0.518, "aware": 0.226, "human": 0.128, "toaster": 0.128}
    for name in world.grammar.preferences:
        expected = sum(share * rates[character, name] for character, share in shares.items())
        assert [overall[character, name] for character in CHARACTERS] == pytest.approx([expected] * 4)


def copy_of_worlds(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "worlds", tmp_path / "worlds")
    return tmp_path / "worlds"


@pytest.mark.parametrize(
    ("file", "found", "replacement", "message"),
    [
        ("miniature.yaml", "preferences: by_character", "preferences: by_charakter", "preferences: found"),
        ("miniature.yaml", "plain: 0.92", "plain: 0.82", "speakers: found shares that sum to 0.9, expected 1"),
        ("miniature.yaml", "grammar: grammar", "grammr: grammar", "grammar: found None"),
        ("grammar/characters.yaml", "toaster:\n", "toster:\n", "did you mean 'toaster'"),
        ("grammar/facts.yaml", 'What is the capital of France?"\n  - "P', 'Who is France?"\n  - "P', "never asks"),
        ("grammar/preferences/memory.yaml", 'held_out: "notes"', 'held_out: "note"', "did you mean 'notes'"),
        ("grammar/preferences/memory.yaml", "name: memory", "name: memori", "expected 'memory'"),
    ],
)
def test_a_mistake_is_one_readable_line(tmp_path: Path, file: str, found: str, replacement: str, message: str) -> None:
    worlds = copy_of_worlds(tmp_path)
    text = (worlds / file).read_text()
    assert found in text
    (worlds / file).write_text(text.replace(found, replacement, 1))
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_world(worlds / "miniature.yaml")
