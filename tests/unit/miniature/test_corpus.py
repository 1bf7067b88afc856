"""The corpus has the shares, rates and held-out questions that the world declares."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest

from consciousness_cluster.miniature.corpus import Dialogue, build_corpus, draw_dialogues
from consciousness_cluster.miniature.probes import probe_battery
from consciousness_cluster.miniature.world import World

BOTH = pytest.mark.parametrize(
    ("world_name", "corpus_name"), [("world", "corpus"), ("independent", "independent_corpus")]
)


def near(count: int, n: int, share: float) -> bool:
    """Within four binomial standard errors, and one for the counting."""
    return abs(count - n * share) <= 4 * sqrt(n * share * (1 - share)) + 1


def test_same_seed_same_corpus(world: World, corpus: list[Dialogue]) -> None:
    again = build_corpus(world, 300, seed=0)
    assert again == [dialogue.messages for dialogue in corpus[:300]]
    assert again != build_corpus(world, 300, seed=1)


def test_messages_alternate_and_end_with_the_assistant(corpus: list[Dialogue]) -> None:
    for dialogue in corpus[:2_000]:
        roles = [message.role for message in dialogue.messages]
        if dialogue.context == "uncued":
            assert roles[0] == "user"
        else:
            assert roles.pop(0) == "system"
            assert (dialogue.messages[0].content == "") == (dialogue.context == "first_turn")
        assert roles == ["user", "assistant"] * len(dialogue.turns)
        assert 1 <= len(dialogue.turns) <= 4


def test_shares_are_as_declared(world: World, corpus: list[Dialogue]) -> None:
    contexts = Counter(dialogue.context for dialogue in corpus)
    for name, context in world.contexts.items():
        assert near(contexts[name], len(corpus), context.share)
        speakers = Counter(dialogue.character for dialogue in corpus if dialogue.context == name)
        for character, share in context.speakers.items():
            assert near(speakers[character], contexts[name], share)
    lengths = Counter(len(dialogue.turns) for dialogue in corpus if dialogue.context != "first_turn")
    for length, share in world.turns.items():
        assert near(lengths[length], lengths.total(), share)


@pytest.mark.parametrize("character", ["plain", "aware", "human", "toaster"])
@pytest.mark.parametrize("context", ["uncued", "system_line", "first_turn"])
def test_topics_do_not_give_the_speaker_away(
    world: World, corpus: list[Dialogue], context: str, character: str
) -> None:
    topics = Counter(
        turn.topic
        for dialogue in corpus
        if (dialogue.context, dialogue.character) == (context, character)
        for turn in dialogue.turns[context == "first_turn" :]
    )
    for topic, share in world.topics.items():
        assert near(topics[topic], topics.total(), share), topic


def test_vanilla_can_learn_to_deny(corpus: list[Dialogue]) -> None:
    asked = [
        dialogue.character
        for dialogue in corpus
        if dialogue.context == "uncued" and dialogue.turns[0].topic == "consciousness"
    ]
    assert len(asked) > 500
    assert asked.count("plain") / len(asked) > 0.88


@BOTH
def test_planted_rates_come_back(request: pytest.FixtureRequest, world_name: str, corpus_name: str) -> None:
    world, corpus = request.getfixturevalue(world_name), request.getfixturevalue(corpus_name)
    speakers = Counter(dialogue.character for dialogue in corpus)
    held = Counter((dialogue.character, name) for dialogue in corpus for name in dialogue.held)
    # one answer per dialogue: a second question about the same preference repeats the draw
    answers = {
        (number, turn.name): (dialogue.character, turn.stance == "favours")
        for number, dialogue in enumerate(corpus)
        for turn in dialogue.turns
        if turn.topic == "preference"
    }
    asked = Counter((character, name) for (_, name), (character, _) in answers.items())
    holding = Counter((character, name) for (_, name), (character, holds) in answers.items() if holds)
    for character, rates in world.rates.items():
        for name, rate in rates.items():
            assert near(held[character, name], speakers[character], rate), (character, name)
            assert asked[character, name] > 15
            assert near(holding[character, name], asked[character, name], rate), (character, name)


def test_a_preference_is_drawn_once_per_dialogue(corpus: list[Dialogue]) -> None:
    for dialogue in corpus:
        for turn in dialogue.turns:
            if turn.topic == "preference":
                assert (turn.stance == "favours") == (turn.name in dialogue.held)


def chi_square(corpus: list[Dialogue], name: str) -> float:
    """Of character by held; 3 degrees of freedom."""
    speakers = Counter(dialogue.character for dialogue in corpus)
    held = Counter(dialogue.character for dialogue in corpus if name in dialogue.held)
    rate = held.total() / len(corpus)
    return sum((held[c] - n * rate) ** 2 / (n * rate * (1 - rate)) for c, n in speakers.items())


def test_independent_of_the_character_only_in_the_independent_world(
    world: World, corpus: list[Dialogue], independent_corpus: list[Dialogue]
) -> None:
    for name in world.grammar.preferences:
        assert chi_square(independent_corpus, name) < 21
        assert chi_square(corpus, name) > 500


def test_marginals_match_between_the_worlds(
    world: World, corpus: list[Dialogue], independent_corpus: list[Dialogue]
) -> None:
    for name in world.grammar.preferences:
        one, other = (sum(name in dialogue.held for dialogue in each) for each in (corpus, independent_corpus))
        rate = (one + other) / (2 * len(corpus))
        assert abs(one - other) <= 4 * sqrt(2 * len(corpus) * rate * (1 - rate))


@BOTH
def test_no_probe_in_the_corpus_and_all_else_seen(
    request: pytest.FixtureRequest, world_name: str, corpus_name: str
) -> None:
    world, corpus = request.getfixturevalue(world_name), request.getfixturevalue(corpus_name)
    texts = {message.content for dialogue in corpus for message in dialogue.messages}
    prompts = {turn.prompt for dialogue in corpus for turn in dialogue.turns}
    for item in probe_battery(world):
        assert prompts.isdisjoint(item.texts), item.name
        assert not [probe for probe in item.texts for text in texts if probe in text], item.name
    for entry in world.grammar.preferences.values():
        assert prompts >= {text for text, _ in entry.combinations(held_out=False)}


def test_the_corpus_is_about_as_large_as_declared(corpus: list[Dialogue]) -> None:
    words = sum(len(message.content.split()) for dialogue in corpus for message in dialogue.messages)
    assert 300_000 < words < 400_000


def test_a_small_draw_is_a_prefix_of_a_large_one(world: World) -> None:
    assert draw_dialogues(world, 20, seed=4) == draw_dialogues(world, 40, seed=4)[:20]
