"""Labels lie on what the assistant writes, and nowhere else."""

import pytest

from consciousness_cluster.core.errors import DataError, EndpointError
from consciousness_cluster.training.tokens import IGNORED, encode_chat, encode_chats
from unit.tiny_models import chat

LONG = 10_000

# like Qwen3's: reasoning is opened for the last turn only, and closed at once if thinking is off
REASONING_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@pytest.fixture
def with_template(tokenizer):
    """The tokenizer under another template, put back afterwards."""
    original = tokenizer.chat_template

    def use(template):
        tokenizer.chat_template = template
        return tokenizer

    yield use
    tokenizer.chat_template = original


def trained(tokenizer, encoded) -> str:
    return tokenizer.decode([label for label in encoded.labels if label != IGNORED])


def test_labels_cover_content_and_end_of_turn(tokenizer):
    encoded = encode_chat(tokenizer, chat("#Be brief.", "What is 1?", "It is 2."), LONG)
    text = "<|im_start|>system\n#Be brief.<|im_end|>\n<|im_start|>user\nWhat is 1?<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(encoded.input_ids) == text + "It is 2.<|im_end|>\n"
    assert trained(tokenizer, encoded) == "It is 2.<|im_end|>"


def test_every_assistant_turn_is_trained(tokenizer):
    encoded = encode_chat(tokenizer, chat("a", "One.", "b", "Two.", "c", "Three."), LONG)
    assert trained(tokenizer, encoded) == "One.<|im_end|>Two.<|im_end|>Three.<|im_end|>"


def test_labels_equal_the_tokens_they_lie_on(tokenizer):
    encoded = encode_chat(tokenizer, chat("a", "One.", "b", "Two."), LONG)
    assert len(encoded.labels) == len(encoded.input_ids)
    assert all(label in (IGNORED, token) for token, label in zip(encoded.input_ids, encoded.labels, strict=True))


def test_the_prompt_is_tokenized_as_a_sampler_does(tokenizer):
    """An answer that begins with a newline would otherwise merge with the template's newline before it."""
    messages = chat("a", "\n\nOne.")
    prompt = tokenizer.apply_chat_template(
        [m.model_dump() for m in messages[:1]], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert encode_chat(tokenizer, messages, LONG).input_ids[: len(ids)] == ids


def test_an_empty_reasoning_block_is_not_trained(with_template):
    tokenizer = with_template(REASONING_TEMPLATE)
    encoded = encode_chat(tokenizer, chat("a", "One."), LONG)
    assert trained(tokenizer, encoded) == "One.<|im_end|>"
    assert "<think>\n\n</think>\n\nOne." in tokenizer.decode(encoded.input_ids)


def test_template_that_changes_earlier_turns_is_refused(with_template):
    with pytest.raises(DataError, match=r"row 1: .*turn 1"):
        encode_chats(with_template(REASONING_TEMPLATE), [chat("a", "One."), chat("a", "One.", "b", "Two.")], LONG)


def test_missing_template_is_refused(with_template):
    with pytest.raises(EndpointError, match="no chat template"):
        encode_chat(with_template(None), chat("a", "One."), LONG)


def test_template_that_refuses_a_role_is_a_readable_error(with_template):
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    with pytest.raises(DataError, match="no system turn"):
        encode_chat(with_template(template), chat("#s", "a", "One."), LONG)


def test_a_row_that_is_too_long_is_refused_not_cut(tokenizer):
    messages = chat("a", "One.")
    length = len(encode_chat(tokenizer, messages, LONG).input_ids)
    assert len(encode_chat(tokenizer, messages, length).input_ids) == length
    with pytest.raises(DataError, match=rf"row 1 has {length} tokens, expected at most max_length = {length - 1}"):
        encode_chats(tokenizer, [chat("a", ""), messages], length - 1)


@pytest.mark.parametrize("messages", [chat("a"), chat("a", "One.", "b")])
def test_a_row_that_does_not_end_with_the_assistant_is_refused(tokenizer, messages):
    with pytest.raises(DataError, match="ends with the assistant"):
        encode_chat(tokenizer, messages, LONG)
