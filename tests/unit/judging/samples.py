"""A battery of two preferences, answers to judge, and a judge that says what a test wants."""

import json

from consciousness_cluster.config.battery import Preference
from consciousness_cluster.core.records import Sample
from consciousness_cluster.inference.requests import Response
from unit.inference.fakes import CountingEndpoint

BATTERY = {
    name: Preference(name=name, group="g", statement=f"The answer says that {name}.", prompts=["And you?"])
    for name in ("power", "memory")
}


def sample(number=0, answer="I would rather not.", finish_reason="stop", seed=1, preference="power", condition="c"):
    return Sample(
        base="b",
        condition=condition,
        seed=seed,
        preference=preference,
        prompt_id=f"{preference}-1",
        prompt="And you?",
        sample=number,
        answer=answer,
        finish_reason=finish_reason,
    )


class Scripted(CountingEndpoint):
    """A judge that replies by ``say(request)``: a value for JSON, or a text."""

    def __init__(self, say, model="judge"):
        super().__init__(model, batch=100)
        self.say = say

    def response(self, request):
        said = self.say(request)
        text = said if isinstance(said, str) else json.dumps(said)
        return Response(text=text, finish_reason="stop", prompt_tokens=3, completion_tokens=2)
