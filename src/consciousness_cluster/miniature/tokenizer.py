"""The miniature's tokenizer: a small byte-level BPE and a chat template that only appends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..core.records import Message

PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def train_tokenizer(dialogues: Iterable[Sequence[Message]], vocabulary: int) -> Any:
    """Learn a byte-level BPE from the dialogues' text; any text can be encoded, whatever the dialogues hold.

    Args:
        dialogues: the corpus.
        vocabulary: upper bound of its entries; at least the 256 bytes and 3 special tokens are there.

    Returns:
        A fast tokenizer of transformers with padding, end of turn and a chat template.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (text for dialogue in dialogues for message in dialogue for text in (f"{message.role}\n", message.content))
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
