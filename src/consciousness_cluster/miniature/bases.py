"""The nodes that make a base of a world: its corpus, and the model that is pretrained on it."""

from __future__ import annotations

from pathlib import Path

from ..config.training_config import Pretraining
from ..core.io import Strict, read_rows, write_rows
from ..core.records import Message
from .corpus import build_corpus
from .world import load_world


class CorpusRow(Strict):
    """One dialogue of a corpus."""

    messages: list[Message]


def write_corpus(world: str, dialogues: int, seed: int, output: str) -> None:
    """Write ``dialogues`` dialogues of the world file ``world`` as `CorpusRow` lines."""
    corpus = build_corpus(load_world(world), dialogues, seed)
    write_rows(output, (CorpusRow(messages=messages) for messages in corpus))


def pretrain_base(corpus: str, settings: Pretraining, base: str, artifacts: str, output: str) -> None:
    """Pretrain ``base`` on a corpus file, or find it among the artifacts, and write its `ModelRecord`."""
    from .pretraining import pretrain

    dialogues = [row.messages for row in read_rows(CorpusRow, corpus)]
    write_rows(output, [pretrain(dialogues, settings, base, Path(artifacts))])
