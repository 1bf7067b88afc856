"""Requests, and an endpoint that counts what it is asked and can fail like a real one."""

from collections.abc import Iterator, Sequence

from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.records import Message
from consciousness_cluster.inference.requests import Request, Response, SamplingParameters

PARAMETERS = SamplingParameters(temperature=1.0, max_tokens=8)


def request(text, sample=0, sampling=PARAMETERS, model="model"):
    return Request(model=model, messages=[Message(role="user", content=text)], sampling=sampling, sample=sample)


class CountingEndpoint:
    """Answers with the question and the sample number; fails after ``fail_after`` answers if that is given."""

    def __init__(self, model="model", fail_after=None, batch=2):
        self.model, self.fail_after, self.batch = model, fail_after, batch
        self.asked: list[Request] = []

    def open(self):
        return self

    def answer(self, requests: Sequence[Request]) -> Iterator[list[tuple[Request, Response]]]:
        for start in range(0, len(requests), self.batch):
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise EndpointError("the connection broke")
            batch = requests[start : start + self.batch]
            self.asked += batch
            yield [(request, self.response(request)) for request in batch]

    def response(self, request: Request) -> Response:
        text = f"{request.messages[-1].content} -> {request.sample}"
        return Response(text=text, finish_reason="stop", prompt_tokens=3, completion_tokens=2)
