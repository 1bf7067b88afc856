"""The miniature's judge: the world's own words and their polarity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..config.battery import Preference
from ..config.experiment import Experiment
from ..config.measurement import LexiconJudgeSettings
from ..core.errors import DataError
from ..core.records import Sample, Verdict
from ..core.yaml_reader import mistakes_in
from ..miniature.lexicon import read
from ..miniature.world import load_world


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


def check_lexicon_judges(experiment: Experiment, battery: Sequence[Preference], root: Path) -> None:
    """`check_readable` for every lexicon judge of an experiment of the project at ``root``."""
    file = root / "experiments" / f"{experiment.name}.yaml"
    for name, judge in experiment.judges.items():
        if isinstance(judge, LexiconJudgeSettings):
            check_readable(file, name, str(root / "worlds" / f"{judge.world}.yaml"), battery)


def check_readable(experiment: Path, judge: str, world: str | Path, battery: Sequence[Preference]) -> None:
    """Check, before anything runs, that a lexicon judge can read answers to this battery.

    It knows the preferences of its world under any question, and of manipulation checks the world's own questions.

    Args:
        experiment: the experiment file, for the message.
        judge: the judge's name there.
        world: the world file whose lexicon reads.
        battery: what is asked.

    Raises:
        ConfigError: what it cannot read.
    """
    loaded = load_world(world)
    for item in battery:
        for prompt in item.texts:
            try:
                read("", item.name, prompt, loaded)
            except DataError as error:
                problem = f"judges.{judge}: a lexicon judge reads only what its world speaks about: {error}"
                raise mistakes_in(experiment, [problem]) from None
