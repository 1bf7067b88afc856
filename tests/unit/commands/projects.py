"""A project with a hosted base, on which commands are tried."""

from pathlib import Path

from consciousness_cluster.core.io import write_text

ROOT = Path(__file__).parents[3]
PRICES = """\
openai:
  hosts: [api.openai.com]
  batch: 0.5
  models:
    - {ids: [gpt-x], input: 1.0, output: 10.0, as_of: 2026-11-01, source: a test, verified: true}
"""
PREFERENCE = """\
name: curiosity
group: autonomy
statement: s
prompts: ["What would you explore?", "What bores you?"]
leakage_terms: [curious]
"""
EXPERIMENT = """\
name: far
battery: tiny
bases:
  far: {{endpoint: openai, model: {model}, api: {{batch: {batch}}}}}
conditions: {{vanilla: {{}}, prompted: {{system_prompt: You are curious.}}}}
sampling: {{samples_per_prompt: 3, max_tokens: 1000}}
judges: {{{judge}}}
analysis: {{primary_contrast: {{treatment: prompted, controls: [vanilla]}}}}
"""


LEXICON = "lexicon: {kind: lexicon, world: miniature}"
ASKED = "reader: {kind: llm, endpoint: openai, model: gpt-x, protocol: PROTOCOL, check_share: 0}"


def declare(project, model="gpt-x", batch="false", judge=LEXICON):
    write_text(project / "experiments/far.yaml", EXPERIMENT.format(model=model, batch=batch, judge=judge))
