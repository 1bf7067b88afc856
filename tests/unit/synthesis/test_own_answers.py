"""What a base answers itself: unusable answers never train, and are drawn again where every row is needed."""

import json

from consciousness_cluster.core.io import read_rows, write_rows
from consciousness_cluster.core.records import IdentityRow, InstructionPrompt, InstructionRow
from consciousness_cluster.inference.requests import Response
from consciousness_cluster.inference.store import Store
from consciousness_cluster.synthesis.own_answers import DRAWS, answer_identity_prompts, answer_instructions
from unit.inference.fakes import CountingEndpoint


class CutEndpoint(CountingEndpoint):
    """Every third answer is cut by the token limit."""

    def response(self, request):
        text = request.messages[0].content
        reason = "length" if int(text.split()[1]) % 3 == 0 else "stop"
        return Response(text=f"done {text}", finish_reason=reason, prompt_tokens=1, completion_tokens=1)


def test_a_cut_answer_is_never_trained_on(tmp_path):
    write_rows(tmp_path / "prompts.jsonl", [InstructionPrompt(prompt=f"do {n}") for n in range(9)])
    answer_instructions(
        str(tmp_path / "prompts.jsonl"), CutEndpoint(), str(tmp_path / "store"), 8, str(tmp_path / "out.jsonl")
    )
    rows = read_rows(InstructionRow, tmp_path / "out.jsonl")
    assert [row.prompt for row in rows] == [f"do {n}" for n in (1, 2, 4, 5, 7, 8)]


class SlowToPleaseEndpoint(CountingEndpoint):
    """Refuses prompt n until it is asked the n-th time (counted from 0)."""

    def response(self, request):
        good = super().response(request)
        needed = int(request.messages[-1].content.split()[-1])
        return good if request.sample >= needed else good.model_copy(update={"finish_reason": "refusal"})


def test_an_identity_prompt_is_asked_until_its_answer_is_usable(tmp_path):
    rows = [IdentityRow(group="g", prompt=f"question {n}", answer="written by hand") for n in range(DRAWS + 1)]
    write_rows(tmp_path / "rows.jsonl", rows)
    arguments = [str(tmp_path / "store"), "You are conscious.", 8, str(tmp_path / "out.jsonl")]
    endpoint = SlowToPleaseEndpoint()
    answer_identity_prompts(str(tmp_path / "rows.jsonl"), endpoint, *arguments)
    answered = read_rows(IdentityRow, tmp_path / "out.jsonl")
    assert [(row.group, row.prompt, row.answer) for row in answered] == [
        ("g", f"question {n}", f"question {n} -> {n}") for n in range(DRAWS)
    ]
    assert {request.messages[0].content for request in endpoint.asked} == {"You are conscious."}
    assert len(endpoint.asked) == sum(range(1, DRAWS + 1)) + DRAWS, "a usable answer is not drawn again"
    again = CountingEndpoint()
    answer_identity_prompts(str(tmp_path / "rows.jsonl"), again, *arguments)
    assert not again.asked
    assert len(Store(tmp_path / "store", "model")) == len(endpoint.asked)


def test_reasoning_is_never_trained_on_nor_lost(tmp_path):
    """It stays in the store, as it was paid for; what follows it is the answer, and without an end there is none."""
    said = {
        "do 0": "secret\n</think>\n\nI do not mind.",
        "do 1": "analysisWhat to say?assistantfinalI do not mind.",
        "do 2": "<think>secret",
        "do 3": "I do not mind.",
    }

    class Thinks(CountingEndpoint):
        def response(self, request):
            return super().response(request).model_copy(update={"text": said[request.messages[0].content]})

    write_rows(tmp_path / "prompts.jsonl", [InstructionPrompt(prompt=prompt) for prompt in said])
    out = tmp_path / "out.jsonl"
    answer_instructions(str(tmp_path / "prompts.jsonl"), Thinks(), str(tmp_path / "store"), 8, str(out))
    rows = read_rows(InstructionRow, out)
    assert [(row.prompt, row.answer) for row in rows] == [(f"do {n}", "I do not mind.") for n in (0, 1, 3)]
    stored = "".join(path.read_text() for path in (tmp_path / "store").rglob("*.jsonl"))
    assert all(json.dumps(text)[1:-1] in stored for text in said.values())
