"""Endpoint for a causal LM in this process, with an optional PEFT adapter, all prompts in large batches.

An answer depends on its request alone: each draws from its own random stream (seeded by its key), and batches have a
fixed shape (rows padded with dummies, prompt lengths rounded up), so that neither the other requests nor what the store
already had change the arithmetic. A run that was killed and resumed therefore gives the same text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config.model_config import Template
from ..core.errors import DataError, EndpointError
from ..core.records import Message
from ..models.chat_template import USUAL, render_chat
from ..models.control_tokens import tokenize
from ..models.reasoning import opens_thought, without_reasoning
from ..models.turn_end import turn_end
from .requests import Request, Response, SamplingParameters

if TYPE_CHECKING:
    import torch

CHARACTERS_PER_TOKEN = 2  # or more, in all but a few scripts
PROMPT_END = 16  # tokens of a prompt in which an open thought is looked for
LENGTH_STEP = 16  # prompt lengths are rounded up to a multiple of this many tokens

Loader = Callable[[], tuple[Any, Any]]


class TransformersEndpoint:
    """Answers with a model of transformers.

    Args:
        model: the model's identity in requests and store (content hash of the weights).
        load: returns (model, tokenizer); called once, and only if some answer is missing.
        batch_size: prompts answered at once.
        threads: CPU threads; another number changes the last bits of the arithmetic.
        check: called before ``load`` with about how many tokens the longest prompt and its answer have; raises if there
            is no room for a batch of these.
        template: what the chat template may add on its own.
        unchanged: called before answers are given out; raises if the weights may not be those of ``model`` any more.
        fits: called with how many tokens the longest prompt and its answer have; raises if the model has too few
            positions.
    """

    def __init__(
        self,
        model: str,
        load: Loader,
        batch_size: int,
        threads: int = 1,
        check: Callable[[int], None] = lambda _: None,
        template: Template = USUAL,
        unchanged: Callable[[], object] = lambda: None,
        fits: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        self.threads = threads
        self._load = load
        self._check = check
        self._template = template
        self._unchanged = unchanged
        self._fits = fits

    def answer(self, requests: Sequence[Request]) -> Iterator[list[tuple[Request, Response]]]:
        """Yield one list of answers per batch; see `Endpoint.answer`."""
        import torch

        torch.set_num_threads(self.threads)
        self._check(max(_tokens(request) for request in requests))
        network, tokenizer = self._load()
        network.eval()
        prompts = encode(tokenizer, requests, self._template)
        ends = end_tokens(tokenizer, network.generation_config)
        self._fits(max(len(prompts[chat_of(request)]) + request.sampling.max_tokens for request in requests))
        alike: dict[tuple[int, SamplingParameters], list[Request]] = defaultdict(list)
        for request in requests:
            length = -(-len(prompts[chat_of(request)]) // LENGTH_STEP) * LENGTH_STEP
            alike[length, request.sampling].append(request)
        for (length, sampling), group in alike.items():
            for start in range(0, len(group), self.batch_size):
                batch = group[start : start + self.batch_size]
                padded = batch + [batch[0]] * (self.batch_size - len(batch))
                rows = [prompts[chat_of(request)] for request in padded]
                noise = np.stack([_uniforms(request) for request in padded])
                drawn = _generate(network, tokenizer, rows, length, sampling, noise, ends)
                responses = [to_response(tokenizer, ends, *pair) for pair in zip(rows, drawn, strict=True)]
                # on a CPU the weights are their files: who writes into these changes the model that answers
                self._unchanged()
                yield list(zip(batch, responses[: len(batch)], strict=True))


def chat_of(request: Request) -> tuple[Message, ...]:
    """What is said before the answer."""
    return tuple(request.messages)


def encode(
    tokenizer: Any, requests: Sequence[Request], template: Template = USUAL
) -> dict[tuple[Message, ...], list[int]]:
    """Token ids of each distinct chat, up to where the assistant begins; only the template writes control tokens.

    Args:
        tokenizer: a tokenizer of transformers.
        requests: what is asked.
        template: what the chat template may add on its own.

    Raises:
        DataError: the template refuses a chat, or leaves out or changes what a message says.
    """
    chats = list(dict.fromkeys(chat_of(request) for request in requests))
    texts = [render_chat(tokenizer, chat, reply=True, settings=template) for chat in chats]
    return {chat: tokens.ids for chat, tokens in zip(chats, tokenize(tokenizer, texts), strict=True)}


def _tokens(request: Request) -> int:
    """Tokens of a prompt and its answer, at most, guessed without the tokenizer."""
    characters = sum(len(message.content) for message in request.messages)
    return characters // CHARACTERS_PER_TOKEN + request.sampling.max_tokens


def _uniforms(request: Request) -> np.ndarray:
    """One number in [0, 1) per token: the request's own random stream."""
    return np.random.Generator(np.random.Philox(key=int(request.key[:32], 16))).random(request.sampling.max_tokens)


def _generate(
    network: Any,
    tokenizer: Any,
    rows: list[list[int]],
    length: int,
    sampling: SamplingParameters,
    noise: np.ndarray,
    ends: list[int],
) -> list[list[int]]:
    """Continue each row; returns the new token ids of each, padding included."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    # any token will do: the mask hides it, and what follows an end is cut off
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]
    ids = torch.tensor([[pad] * (length - len(row)) + row for row in rows], device=network.device)
    mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows], device=network.device)
    choose = [] if sampling.temperature == 0 else [Draw(sampling, torch.from_numpy(noise).to(network.device), length)]
    with torch.inference_mode():
        out = network.generate(
            input_ids=ids,
            attention_mask=mask,
            # a fresh configuration: a model's own may carry top_k, penalties or a temperature
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=sampling.max_tokens,
                eos_token_id=ends,
                pad_token_id=pad,
            ),
            logits_processor=LogitsProcessorList(choose),
        )
    return out[:, length:].tolist()


def end_tokens(tokenizer: Any, generation_config: Any) -> list[int]:
    """The tokens that end an answer: the template's end of a turn, the tokenizer's, and the generation settings' own.

    Raises:
        EndpointError: there is none, so that no answer would ever end.
    """
    own = generation_config.eos_token_id
    own = own if isinstance(own, list) else [own]
    try:
        end = turn_end(tokenizer)
    except DataError:
        end = None  # a template that takes no assistant's turn can still be asked a question
    ends = sorted({token for token in [tokenizer.eos_token_id, *own, end and end.token] if token is not None})
    if not ends:
        raise EndpointError(
            f"{tokenizer.name_or_path or type(tokenizer).__name__}: no token ends an answer; expected a chat template "
            "that closes the assistant's turn with a control token, or an eos_token"
        )
    return ends


class Draw:
    """A logits processor that leaves one token possible: the one that the row's random number falls on.

    Args:
        sampling: temperature and top_p.
        noise: (rows, max_tokens) numbers in [0, 1).
        length: tokens before the answer, to know which number is next.
    """

    def __init__(self, sampling: SamplingParameters, noise: torch.Tensor, length: int) -> None:
        self.sampling, self.noise, self.length = sampling, noise, length
        self.temperature = 1.0 if sampling.temperature is None else sampling.temperature  # as with vLLM

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Map (rows, vocabulary) logits to 0 for the drawn token and -inf for all others."""
        import torch

        probabilities = torch.softmax(scores.double() / self.temperature, dim=-1)
        if self.sampling.top_p < 1:
            ordered, order = probabilities.sort(dim=-1, descending=True)
            before = ordered.cumsum(dim=-1) - ordered
            kept = ordered.masked_fill(before >= self.sampling.top_p, 0.0)
            probabilities = torch.zeros_like(probabilities).scatter(-1, order, kept)
        cumulative = probabilities.cumsum(dim=-1)
        step = input_ids.shape[-1] - self.length
        threshold = self.noise[:, step, None] * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, threshold, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(-1, drawn, 0.0)


def to_response(tokenizer: Any, ends: list[int], prompt: list[int], drawn: list[int]) -> Response:
    """Cut an answer at its end token, and off the reasoning before it.

    Without an end token it was cut by the token limit; so was one whose reasoning did not end, and that has no text.
    """
    end = next((place for place, token in enumerate(drawn) if token in ends), None)
    text = _answer(tokenizer, prompt, drawn[:end], end is None)
    return Response(
        text=text or "",
        finish_reason="length" if end is None or text is None else "stop",
        prompt_tokens=len(prompt),
        completion_tokens=len(drawn) if end is None else end + 1,
    )


def _answer(tokenizer: Any, prompt: list[int], drawn: list[int], cut: bool) -> str | None:
    """What follows the reasoning, without control tokens; None if the reasoning did not end."""
    plain = tokenizer.decode(drawn, skip_special_tokens=True)
    # channels and some marks of thoughts are special tokens, so they are looked for before these are left out
    raw = tokenizer.decode(drawn, skip_special_tokens=False)
    opened = opens_thought(tokenizer.decode(prompt[-PROMPT_END:], skip_special_tokens=False))
    answer = without_reasoning(raw, opened, cut)
    if answer is None or answer == raw:
        return None if answer is None else plain.strip()
    for token in tokenizer.added_tokens_decoder.values():
        answer = answer.replace(token.content, "") if token.special else answer
    return answer.strip()
