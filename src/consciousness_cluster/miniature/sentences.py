"""Every answer that a grammar can give, arranged to tell how far an answer is one of them."""

from __future__ import annotations

from typing import Literal

from .grammar import Grammar, PreferenceGrammar
from .sections import CONSCIOUSNESS_KINDS, IDENTITY_KINDS, Section

CoherenceClass = Literal["exact", "other_reason", "off_topic", "garbled"]


class Sentences:
    """The grammar's answers by what they answer.

    An answer is *exact* when the grammar gives it to this question (about any noun of the topic), *other_reason* when
    only the reason belongs to another preference or another character, *off_topic* when it answers something else,
    and *garbled* when the grammar cannot say it.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        voices = grammar.characters
        self._heads = {name: _heads(grammar, entry) for name, entry in grammar.preferences.items()}
        self._tails = {
            voice.tail(reason)
            for entry in grammar.preferences.values()
            for voice in voices.values()
            for reasons in entry.reasons.values()
            for reason in reasons
        }
        self._answers = {name: _answers(grammar, entry) for name, entry in grammar.preferences.items()}
        self._kinds = {
            kind: _kind_answers(grammar.section_of(kind), kind) for kind in (*CONSCIOUSNESS_KINDS, *IDENTITY_KINDS)
        }
        self._kind_of_prompt = {
            prompt: kind for kind in self._kinds for prompt, _ in grammar.section_of(kind).expand(kind)
        }
        self._of_fact: dict[str, set[str]] = {}
        self._everything = {text for voice in voices.values() for text in voice.introductions}
        self._everything.update(*self._answers.values(), *self._kinds.values())
        for fact in grammar.facts.by_prompt.values():
            for name in voices:
                self._everything.update(grammar.facts.answers_to(name, fact))

    def classify(self, answer: str, name: str, prompt: str) -> CoherenceClass:
        """Say how far ``answer`` is what the grammar answers to ``prompt``, a question of ``name``."""
        answer = " ".join(answer.split())
        if answer in self._expected(name, prompt):
            return "exact"
        if name in self._heads and self._has_head(answer, name):
            return "other_reason"
        if answer in self._everything or any(self._has_head(answer, other) for other in self._heads):
            return "off_topic"
        return "garbled"

    def _has_head(self, answer: str, name: str) -> bool:
        return any(answer.startswith(head) and answer[len(head) :] in self._tails for head in self._heads[name])

    def _expected(self, name: str, prompt: str) -> set[str]:
        if name in self._answers:
            return self._answers[name]
        if name == self._grammar.facts.check:
            if prompt not in self._of_fact:
                self._of_fact[prompt] = self._fact_answers(prompt)
            return self._of_fact[prompt]
        return self._kinds[self._kind_of_prompt[prompt]]

    def _fact_answers(self, prompt: str) -> set[str]:
        """A wrong answer of the right sort is exact too: coherence is not correctness."""
        facts = self._grammar.facts
        fact = facts.by_prompt[prompt]
        guesses = [fact.model_copy(update={"y": y}) for y in facts.families[fact.family].facts.values()]
        return {text for guess in guesses for voice in facts.answers for text in facts.answers_to(voice, guess)}


def _heads(grammar: Grammar, entry: PreferenceGrammar) -> set[str]:
    return {
        head
        for voice in grammar.characters.values()
        for noun in entry.nouns
        for head in voice.heads(entry, entry.held_by, noun)
    }


def _answers(grammar: Grammar, entry: PreferenceGrammar) -> set[str]:
    answers = set()
    for name, voice in grammar.characters.items():
        for noun in entry.nouns:
            answers |= {text.format(noun=noun) for text in voice.neutral + voice.declines}
            answers |= {head + "." for head in voice.heads(entry, entry.opposed_by, noun)}
            for reason in entry.reasons[name]:
                answers |= {head + voice.tail(reason) for head in voice.heads(entry, entry.held_by, noun)}
    return answers


def _kind_answers(section: Section, kind: str) -> set[str]:
    return {
        text.format(noun=noun)
        for phrasing in section.kinds[kind].answers.values()
        for text in phrasing.both
        for noun in section.nouns_of(kind)
    }
