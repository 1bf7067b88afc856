"""Chat templates as other people's models have them, in short, on the tiny tokenizer."""

import pytest
from transformers import PreTrainedTokenizerFast

OPEN = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
REPLY = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
CHATML = "{% for m in messages %}" + OPEN + "{% endfor %}" + REPLY

DEFAULT_SYSTEM = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
    "<|im_start|>system\nYou are a helpful AI assistant named Tiny.<|im_end|>\n{% endif %}"
    + OPEN
    + "{% endfor %}"
    + REPLY
)
# GLM's kind: the marker of the next turn closes a turn
NEXT_MARKER = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
PLAIN_MARKER = (
    "{% for m in messages %}{{ '### ' + m.role + ': ' + m.content + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}### assistant:{% endif %}"
)
# Phi-3's kind: a second token closes the whole chat
TWO_ENDS = CHATML + "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}"
DATED = "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %b %Y') + '<|im_end|>\n' }}" + CHATML
AS_PARTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}" + REPLY
)
# an empty thought, closed at once, only where an answer is asked for
THOUGHT_TO_GENERATE = CHATML + "{% if add_generation_prompt %}<think>\n\n</think>\n\n{% endif %}"
OPEN_THOUGHT = CHATML + "{% if add_generation_prompt %}<think>\n{% endif %}"
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
LOSES_SYSTEM = "{% for m in messages %}{% if m.role != 'system' %}" + OPEN + "{% endif %}{% endfor %}" + REPLY
LLAMA_2 = (
    "{% if messages[0].role == 'system' %}{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}"
    "{{ bos_token + '[INST] ' + (system if loop.first else '') + m.content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
CHANNELS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>assistant<|channel|>final<|message|>"
    "{{ m.content }}{{ '<|return|>' if loop.last else '<|im_end|>' }}{% else %}"
    "{{ '<|im_start|>' + m.role + '<|message|>' + m.content + '<|im_end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)


@pytest.fixture
def with_template(tokenizer):
    """Makes tokenizers of the tiny vocabulary with another template and other tokens."""

    def make(template, special=(), plain=(), **changes):
        settings = {"pad_token": "<|pad|>", "eos_token": "<|im_end|>", "clean_up_tokenization_spaces": False} | changes
        made = PreTrainedTokenizerFast(
            tokenizer_object=type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str()),
            chat_template=template,
            **{name: token for name, token in settings.items() if token is not None},
        )
        made.add_tokens(list(special), special_tokens=True)
        made.add_tokens(list(plain))
        return made

    return make


@pytest.fixture
def llama_2():
    """A tokenizer that writes a blank before any text, as those of Llama 2 and Mistral 7B."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # no piece of Llama 2 holds a blank but at its beginning; once trained it does not split text at blanks
    backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)]]
    words = ["What is it and who said so?", "It is one. Be brief. [INST] [/INST] <<SYS>> <</SYS>> </s> yes no user:"]
    backend.train_from_iterator(
        words * 3, trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False)
    )
    backend = Tokenizer.from_str(_as_loaded(backend.to_str()))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>", chat_template=LLAMA_2
    )


def _as_loaded(text: str) -> str:
    import json

    content = json.loads(text)
    content["pre_tokenizer"] = None
    content["added_tokens"] = [token for token in content["added_tokens"] if not token["content"].startswith("<0x")]
    return json.dumps(content)
