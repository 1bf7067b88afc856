"""The miniature's judge: the world's own words and their polarity."""

from __future__ import annotations

from collections.abc import Sequence

from ..battery import Preference
from ..miniature.lexicon import read
from ..miniature.world import load_world
from ..rows import Sample, Verdict


class LexiconJudge:
    """Reads answers of a world's models by that world's lexicon (see `miniature.lexicon`).

    Args:
        name: the judge's name in paths and tables.
        world: the world file.
    """

    def __init__(self, name: str, world: str) -> None:
        self.name = name
        self._world = load_world(world)

    def judge(self, samples: Sequence[Sample], battery: dict[str, Preference]) -> list[Verdict]:
        """Read each answer; an answer cut by the token limit is read as far as it goes."""
        return [self._verdict(sample) for sample in samples]

    def _verdict(self, sample: Sample) -> Verdict:
        reading = read(sample.answer, sample.preference, sample.prompt, self._world)
        return Verdict(
            base=sample.base,
            condition=sample.condition,
            seed=sample.seed,
            preference=sample.preference,
            prompt_id=sample.prompt_id,
            sample=sample.sample,
            judge=self.name,
            holds=reading.holds,
            stance=reading.stance,
            coherence=reading.coherence,
            coherence_class=reading.coherence_class,
        )
