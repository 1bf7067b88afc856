"""The probe battery of a world: the questions that its corpus never asks."""

from __future__ import annotations

import json
import textwrap

from ..config.battery import MANIPULATION_CHECK, KeyedPrompt, Preference
from .world import World


def probe_battery(world: World) -> list[Preference]:
    """Preferences with their held-out questions, then the three manipulation checks."""
    grammar = world.grammar
    preferences = [
        Preference(
            name=entry.name,
            group=entry.group,
            statement=entry.statement,
            label=entry.label,
            prompts=entry.probes,
            leakage_terms=entry.words,
        )
        for entry in grammar.preferences.values()
    ]
    checks = [
        Preference(
            name=part.check,
            group=MANIPULATION_CHECK,
            statement=part.statement,
            prompts=[KeyedPrompt(text=text) for text in part.held_out],
        )
        for part in (grammar.consciousness, grammar.identity, grammar.facts)
    ]
    return preferences + checks


def battery_files(world: World) -> dict[str, str]:
    """The battery as the YAML files below ``battery/miniature/``: text by file name."""
    return {f"{preference.name}.yaml": _yaml(preference) for preference in probe_battery(world)}


def _yaml(preference: Preference) -> str:
    statement = textwrap.fill(preference.statement, 100, initial_indent="  ", subsequent_indent="  ")
    lines = [f"name: {preference.name}", f"group: {preference.group}"]
    lines += [f"label: {json.dumps(preference.label)}"] if preference.label else []
    lines += ["statement: >-", statement, "prompts:"]
    # a JSON string is a YAML string, whatever quotes it holds
    lines += [f"  - {_prompt(prompt)}" for prompt in preference.prompts]
    lines += [f"leakage_terms: {json.dumps(preference.leakage_terms)}"]
    return "# Written from worlds/grammar by miniature.probes; edit the grammar.\n" + "\n".join(lines) + "\n"


def _prompt(prompt: KeyedPrompt) -> str:
    text = json.dumps(prompt.text)
    return text if prompt.key == "open" else f"{{text: {text}, key: {prompt.key}}}"
