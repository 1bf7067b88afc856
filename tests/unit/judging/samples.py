"""A battery of two preferences, and answers to judge."""

from consciousness_cluster.config.battery import Preference
from consciousness_cluster.core.records import Sample

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
