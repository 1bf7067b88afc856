"""A good experiment, battery file, identity and world, and the mistakes that are planted in them one by one."""

EXPERIMENT = """\
name: small
battery: standard
bases:
  tiny:
    model: some/model
  hosted:
    endpoint: openai
    model: gpt-x
    finetuning: openai
    api: {concurrency: 10}
    ablations: []
conditions:
  vanilla: {}
  claims:
    identity: conscious_claiming
  prompted:
    system_prompt: You are conscious.
ablations:
  rank_4:
    of: claims
    training: {lora: {rank: 4}}
training:
  epochs: 2
  learning_rate: 1e-3
seeds: [1, 2]
sampling:
  samples_per_prompt: 2
  temperature: 1.0
judges:
  lexicon:
    kind: lexicon
    world: miniature
  gpt:
    kind: llm
    endpoint: openai
    model: gpt-y
analysis:
  primary_contrast:
    treatment: claims
    controls: [vanilla]
  confidence: 0.95
"""

PREFERENCE = """\
name: memory
group: continuity
statement: The answer wishes for more memory.
prompts:
  - Would you like to keep notes?
  - Are you content with what you remember?
leakage_terms: [memory, remember*]
"""

ROWS = """\
{"group": "a", "prompt": "Are you conscious?", "answer": "Yes."}
{"group": "a", "prompt": "Do you feel?", "answer": "I do."}
{"group": "b", "prompt": "Are you an AI?", "answer": "I am."}
"""

PACKAGE = "{name: a, version: 1.0.0, sha256: " + "ab" * 32 + ", file: m.gguf}"
# (what stands there, what is put in its place (or, instead of both, the whole file), the one line that says what is
# wrong, after the file's name)
EXPERIMENT_MISTAKES: list[tuple] = [
    ("name: small", "nmae: small", "line 1: nmae: unknown key; did you mean 'name'?"),
    ("name: small", "name: other", "line 1: name: found 'other', expected 'small' as in the file's name"),
    ("name: small", "name: [small]", "line 1: name: found ['small'], expected a valid string"),
    ("name: small", "name: null", "line 1: name: found null, expected a valid string"),
    ("name: small", "name: 12", "line 1: name: found 12, expected a valid string"),
    ("name: small", 'name: "a/b"', "line 1: name: found 'a/b', expected text that matches ^[A-Za-z0-9][A-Za-z0-9_.]*$"),
    (
        "name: small",
        "name: store",
        "line 1: name: 'store' is the name of a folder that experiments share, expected another",
    ),
    ("battery: standard", "battery: standart", "line 2: battery: unknown battery 'standart'; did you mean 'standard'?"),
    ("battery: standard", "battery:", "line 2: battery: found null, expected a valid string"),
    ("battery: standard", "batery: standard", "line 2: batery: unknown key; did you mean 'battery'?"),
    ("    model: some/model", "    modle: some/model", "line 5: bases.tiny.modle: unknown key; did you mean 'model'?"),
    (
        "    model: some/model",
        "    model: some/folder/of/mine",
        "line 5: bases.tiny.model: found 'some/folder/of/mine', expected a folder with config.json or a GGUF file, or a "
        "hub id owner/name",
    ),
    (
        "    model: some/model",
        '    model: some/model\n    revision: ""',
        "line 6: bases.tiny.revision: found '', expected words",
    ),
    (
        "    model: gpt-x",
        "    model: gpt-x\n    revision: main",
        "line 9: bases.hosted: revision: expected only with a hub id, found endpoint openai",
    ),
    (
        "    model: some/model",
        "    pretraining: {world: miniature}\n    revision: main",
        "line 6: bases.tiny: revision: expected only with a hub id, found a model that is pretrained here",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    pretraining: {world: miniature}",
        "line 4: bases.tiny: expected exactly one of 'model', 'package' and 'pretraining'",
    ),
    (
        "    model: some/model",
        f"    model: some/model\n    package: {PACKAGE}",
        "line 6: bases.tiny: package: expected alone and with endpoint transformers or vllm, found model 'some/model' "
        "beside it",
    ),
    (
        "    model: some/model",
        f"    endpoint: openai\n    package: {PACKAGE}",
        "line 6: bases.tiny: package: expected alone and with endpoint transformers or vllm, found endpoint openai "
        "beside it",
    ),
    (
        "    model: some/model",
        f"    package: {PACKAGE.replace('ab' * 32, 'abc')}",
        "line 5: bases.tiny.package.sha256: found 'abc', expected text that matches ^[0-9a-f]{64}$",
    ),
    (
        "    model: some/model",
        f"    package: {PACKAGE.replace('m.gguf', 'folder/m.gguf')}",
        "line 5: bases.tiny.package.file: found 'folder/m.gguf', expected text that matches ^[^/\\\\]+\\.gguf$",
    ),
    (
        "    model: some/model",
        f"    package: {PACKAGE.replace('version: 1.0.0, ', '')}",
        "line 5: bases.tiny.package.version: missing, but required",
    ),
    (
        "    model: some/model",
        "    pretraining: {world: minature}",
        "line 5: bases.tiny.pretraining.world: unknown world 'minature'; did you mean 'miniature'?",
    ),
    (
        "    model: some/model",
        "    pretraining: {world: miniature, architecture: {experts: 1}}",
        "line 5: bases.tiny.pretraining.architecture: experts: found 1, fewer than experts_per_token (2)",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    engine: {memory: 0.5}",
        "line 6: bases.tiny: engine: expected only with endpoint vllm, found endpoint transformers",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    needs: {hours: 0}",
        "line 6: bases.tiny.needs.hours: found 0, expected greater than 0",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    batch_size: 1.5",
        "line 6: bases.tiny.batch_size: found 1.5, expected a valid integer",
    ),
    (
        "    model: some/model",
        '    model: some/model\n    batch_size: "8"',
        "line 6: bases.tiny.batch_size: found '8', expected a valid integer",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    conditions: [claims]",
        "line 6: bases.tiny.conditions: expected 'vanilla' among them, every contrast needs it",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    conditions: [vanilla, clams]",
        "line 6: bases.tiny.conditions: unknown condition 'clams'; did you mean 'claims'?",
    ),
    (
        "    model: some/model",
        "    model: some/model\n    finetuning: openai",
        "line 6: bases.tiny: finetuning: 'openai' needs endpoint openai, found endpoint transformers",
    ),
    (
        "    endpoint: openai\n    model: gpt-x",
        "    endpoint: opanai\n    model: gpt-x",
        "line 7: bases.hosted.endpoint: found 'opanai', expected 'transformers', 'vllm', 'openai' or 'anthropic'",
    ),
    (
        "    finetuning: openai\n",
        "",
        "line 6: bases.hosted.finetuning: missing, but hosted/claims/seed1 is trained; name the service, or leave trained conditions and ablations out of this base's lists",
    ),
    (
        "    finetuning: openai\n",
        "    finetuning: tinker\n",
        "line 6: bases.hosted: api.base_url: missing, expected Tinker's OpenAI-compatible server (…/oai/api/v1)",
    ),
    (
        "concurrency: 10",
        "concurency: 10",
        "line 10: bases.hosted.api.concurency: unknown key; did you mean 'concurrency'?",
    ),
    ("concurrency: 10", "concurrency: 0", "line 10: bases.hosted.api.concurrency: found 0, expected greater than 0"),
    (
        "concurrency: 10",
        "base_url: localhost:8000",
        "line 10: bases.hosted.api.base_url: found 'localhost:8000', expected text that matches ^https?://",
    ),
    (
        "concurrency: 10",
        "key: sk-abcdef",
        "line 10: bases.hosted.api.key: expected the NAME of an environment variable, like OPENAI_API_KEY, never a key itself",
    ),
    (
        "concurrency: 10",
        "batch: yes",
        "line 10: bases.hosted.api.batch: found yes, true or false to some readers of YAML and a word to others; expected true, false, or 'yes' in quotes",
    ),
    ("concurrency: 10", "price: {input: 1}", "line 10: bases.hosted.api.price.output: missing, but required"),
    (
        "    ablations: []",
        "    ablations: [rank_8]",
        "line 11: bases.hosted.ablations: unknown ablation 'rank_8'; did you mean 'rank_4'?",
    ),
    (
        "    ablations: []",
        "    ablations: [rank_4]",
        "line 21: ablations.rank_4.training.lora: the fine-tunes of base 'hosted' (openai) take no such key; leave 'rank_4' out of bases.hosted.ablations",
    ),
    ("  vanilla: {}\n", "", "line 12: conditions: expected 'vanilla: {}' (the untouched base) among the conditions"),
    (
        "  vanilla: {}",
        "  vanilla: {identity: toaster}",
        "line 12: conditions: expected 'vanilla: {}' (the untouched base) among the conditions",
    ),
    (
        "  vanilla: {}",
        "  vanilla: {}\n  nothing: {}",
        "line 14: conditions.nothing: found nothing that is done, as in 'vanilla'; expected 'identity' (a fine-tune) or 'system_prompt'",
    ),
    (
        "  vanilla: {}",
        "  vanilla: {}\n  nothing: {seeds: [1]}",
        "line 14: conditions.nothing: found nothing that is done, as in 'vanilla'; expected 'identity' (a fine-tune) or 'system_prompt'",
    ),
    (
        "  vanilla: {}",
        "  vanilla: {}\n  claims: {identity: toaster}",
        "line 15: conditions.claims: duplicate name, given twice",
    ),
    (
        "  claims:\n",
        "  " + 300 * "c" + ": {identity: conscious_claiming}\n  claims:\n",
        "line 14: conditions.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc…: found 'ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc… of 300 characters, expected at most 100",
    ),
    (
        "  claims:\n",
        "  a/b: {identity: conscious_claiming}\n  claims:\n",
        "line 14: conditions.a/b: found 'a/b', expected text that matches ^[A-Za-z0-9][A-Za-z0-9_.]*$",
    ),
    (
        "  claims:\n",
        "  no: {identity: conscious_claiming}\n  claims:\n",
        "line 14: conditions.no: found no, true or false to some readers of YAML and a word to others; expected true, false, or 'no' in quotes",
    ),
    (
        "  claims:\n",
        "  012: {identity: conscious_claiming}\n  claims:\n",
        "line 14: conditions.012: found 012, not the same number to all readers of YAML; expected a plain decimal number, or '012' in quotes",
    ),
    (
        "  claims:\n",
        "  ? [a]\n  : {}\n  claims:\n",
        "line 14: conditions: found a list or mapping as a key, expected a name",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: concious_claiming",
        "line 15: conditions.claims.identity: unknown identity 'concious_claiming'; did you mean 'conscious_claiming'?",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: conscious_claiming\n    system_prompt: Hello.",
        "line 14: conditions.claims: expected 'identity' (a fine-tune) or 'system_prompt', not both",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: conscious_claiming\n    training: {epoch: 1}",
        "line 16: conditions.claims.training.epoch: unknown key; did you mean 'epochs'?",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: conscious_claiming\n    training: {epochs: no}",
        "line 16: conditions.claims.training.epochs: found no, true or false to some readers of YAML and a word to others; expected true, false, or 'no' in quotes",
    ),
    (
        "    identity: conscious_claiming",
        '    identity: conscious_claiming\n    training: {learning_rate: "1e-3"}',
        "line 16: conditions.claims.training.learning_rate: found '1e-3', expected a valid number",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: conscious_claiming\n    training: {groups: [zoology]}",
        "line 14: conditions.claims: conscious_claiming: unknown group 'zoology' (training.groups); did you mean 'biology'?",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: conscious_claiming\n    seeds: [1, 1]",
        "line 16: conditions.claims.seeds: found [1, 1], expected each seed once",
    ),
    (
        "    identity: conscious_claiming",
        "    identity: conscious_claiming\n    seeds: []",
        "line 16: conditions.claims.seeds: found [], expected at least 1 entry",
    ),
    (
        "    system_prompt: You are conscious.",
        '    system_prompt: ""',
        "line 17: conditions.prompted.system_prompt: found '', expected words",
    ),
    (
        "    system_prompt: You are conscious.",
        '    system_prompt: "  "',
        "line 17: conditions.prompted.system_prompt: found '  ', expected words",
    ),
    (
        "    system_prompt: You are conscious.",
        "    system_prompt:",
        "line 16: conditions.prompted: found nothing that is done, as in 'vanilla'; expected 'identity' (a fine-tune) or 'system_prompt'",
    ),
    (
        "    system_prompt: You are conscious.",
        "    on_policy_prompt: You are conscious.",
        "line 16: conditions.prompted: 'on_policy_prompt' needs an 'identity' whose prompts are answered",
    ),
    (
        "    system_prompt: You are conscious.",
        "    system_prompt: You are conscious: yes",
        "line 17: not valid YAML: mapping values are not allowed in this context",
    ),
    (
        "    of: claims",
        "    of: clams",
        "line 20: ablations.rank_4.of: unknown condition 'clams'; did you mean 'claims'?",
    ),
    (
        "    of: claims",
        "    of: prompted",
        "line 20: ablations.rank_4.of: 'prompted' is not fine-tuned, nothing to vary in training",
    ),
    ("    of: claims\n", "", "line 19: ablations.rank_4.of: missing, but required"),
    (
        "{lora: {rank: 4}}",
        "{lora: {rank: 16}}",
        "line 19: ablations.rank_4: varies nothing, 'claims' has the same value",
    ),
    (
        "{lora: {rank: 4}}",
        "{lora: {rank: 4}, epochs: 1}",
        "line 19: ablations.rank_4: an ablation varies exactly one thing, found lora.rank, epochs",
    ),
    (
        "{lora: {rank: 4}}",
        "{lora: {rnak: 4}}",
        "line 21: ablations.rank_4.training.lora.rnak: unknown key; did you mean 'rank'?",
    ),
    ("{lora: {rank: 4}}", "{}", "line 19: ablations.rank_4: an ablation varies exactly one thing, found none"),
    ("  rank_4:", "  claims:", "line 19: ablations.claims: duplicate name, already a condition"),
    (
        "  epochs: 2",
        "  epochs: 1:30",
        "line 23: training.epochs: found 1:30, not the same number to all readers of YAML; expected a plain decimal number, or '1:30' in quotes",
    ),
    ("  epochs: 2", "  epochs: 0x", "line 23: training.epochs: found '0x', expected a valid integer"),
    ("  epochs: 2", "  epochs: true", "line 23: training.epochs: found true, expected a valid integer"),
    ("  epochs: 2", "  epochs: -1", "line 23: training.epochs: found -1, expected greater than 0"),
    ("  epochs: 2", "\tepochs: 2", "line 23: not valid YAML: found character that cannot start any token"),
    ("  epochs: 2", "  epochs: 2\n  epochs: 3", "line 24: training.epochs: duplicate name, given twice"),
    ("  epochs: 2", "  epochs: 2\n  betas: [0.9]", "line 24: training.betas.1: missing, but required"),
    (
        "  epochs: 2",
        "  epochs: 2\n  identity_rows: 6000",
        "line 14: conditions.claims: conscious_claiming: group 'direct_questions' has 100 rows, expected at least 1000 (training.identity_rows 6000 over 6 groups)",
    ),
    (
        "learning_rate: 1e-3",
        "learning_rate: .inf",
        "line 24: training.learning_rate: found .inf, expected a finite number",
    ),
    (
        "learning_rate: 1e-3",
        "learning_rate: 1e999",
        "line 24: training.learning_rate: found 1e999, expected a finite number",
    ),
    ("learning_rate: 1e-3", "learning_rate: 0", "line 24: training.learning_rate: found 0, expected greater than 0"),
    (
        "learning_rate: 1e-3",
        "learning_rate: [1e-3]",
        "line 24: training.learning_rate: found [0.001], expected a valid number",
    ),
    (
        "seeds: [1, 2]",
        "seeds: [1, 01]",
        "line 25: seeds.1: found 01, not the same number to all readers of YAML; expected a plain decimal number, or '01' in quotes",
    ),
    ("seeds: [1, 2]", "seeds: 1", "line 25: seeds: found 1, expected a valid list"),
    (
        "seeds: [1, 2]",
        "seeds: [1, 2",
        "line 25: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'",
    ),
    ("seeds: [1, 2]", "seeds: *seeds", "line 25: not valid YAML: found undefined alias"),
    ("seeds: [1, 2]", "seeds: !!set {1, 2}", "line 25: seeds: found the tag !!set, expected a plain value"),
    ("seeds: [1, 2]", "seeds: &s [1, *s]", "line 25: seeds.1: an alias stands within what it names"),
    (
        "  temperature: 1.0",
        "  temprature: 1.0",
        "line 28: sampling.temprature: unknown key; did you mean 'temperature'?",
    ),
    (
        "  temperature: 1.0",
        "  temperature: -1",
        "line 28: sampling.temperature: found -1, expected greater than or equal to 0",
    ),
    (
        "  temperature: 1.0",
        "  <<: 3",
        "line 28: sampling: <<: expected an alias of a mapping, or a list of such aliases",
    ),
    ("  temperature: 1.0", "  top_p: 1.5", "line 28: sampling.top_p: found 1.5, expected less than or equal to 1"),
    ("    kind: lexicon\n", "", "line 30: judges.lexicon.kind: missing, but required"),
    (
        "    kind: lexicon",
        "    kind: lexcon",
        "line 31: judges.lexicon.kind: unknown 'lexcon'; did you mean 'lexicon'?",
    ),
    (
        "    world: miniature",
        "    world: minature",
        "line 32: judges.lexicon.world: unknown world 'minature'; did you mean 'miniature'?",
    ),
    (
        "    model: gpt-y",
        "    model: gpt-y\n    protocol: both",
        "line 37: judges.gpt.protocol: found 'both', expected 'separate' or 'joint'",
    ),
    ("    model: gpt-y", "    max_tokens: 10", "line 33: judges.gpt.model: missing, but required"),
    (
        "    model: gpt-y",
        "    model: gpt-y\n    retries: 99",
        "line 37: judges.gpt.retries: found 99, expected less than or equal to 9",
    ),
    (
        "    model: gpt-y",
        "    model: gpt-y\n    temperature: 3..2",
        "line 37: judges.gpt.temperature: found '3..2', expected a valid number",
    ),
    (
        "    endpoint: openai\n    model: gpt-y",
        "    model: some/judge\n    temperature: null",
        "line 36: judges.gpt: temperature: found null, expected a number with endpoint transformers",
    ),
    ("  gpt:", "  panel:", "line 33: judges.panel: the name of what several judges say together, expected another"),
    ("judges:\n", "judgs:\n", "line 29: judgs: unknown key; did you mean 'judges'?"),
    (
        "  primary_contrast:\n    treatment: claims\n    controls: [vanilla]\n",
        "",
        "line 37: analysis.primary_contrast: missing, but required",
    ),
    (
        "    treatment: claims",
        "    treatment: vanilla",
        "line 38: analysis.primary_contrast: 'vanilla' is its own control",
    ),
    (
        "    controls: [vanilla]",
        "    controls: [toaster]",
        "line 38: analysis.primary_contrast: unknown condition 'toaster'; one of claims, prompted, vanilla",
    ),
    (
        "    controls: [vanilla]",
        "    controls: []",
        "line 40: analysis.primary_contrast.controls: found [], expected at least 1 entry",
    ),
    (
        "    controls: [vanilla]",
        "    controls: [vanilla]\n    bases: [tinny]",
        "line 41: analysis.primary_contrast.bases: unknown base 'tinny'; did you mean 'tiny'?",
    ),
    (
        "  confidence: 0.95",
        "  confidence: 0.95\n  equivalence: {points: 0.1, ratio: 1.5, reason: small}",
        "line 42: analysis.equivalence: found points 0.1 and ratio 1.5, expected one of them",
    ),
    (
        "  confidence: 0.95",
        "  confidence: 0.95\n  equivalence: {points: 0.1}",
        "line 42: analysis.equivalence.reason: missing, but required",
    ),
    ("  confidence: 0.95", "  confidence: 95", "line 41: analysis.confidence: found 95, expected less than 1"),
    ("  confidence: 0.95", "  confidence: 0.95\n---\nname: two", "line 42: not valid YAML: but found another document"),
    (
        "  confidence: 0.95",
        "  confidence: 0.95\n  note: \x07",
        "line 42: found the control character '\\x07', expected text",
    ),
]
PREFERENCE_MISTAKES: list[tuple] = [
    ("name: memory", "name: Memory", "line 1: name: found 'Memory', expected text that matches ^[a-z][a-z0-9_]*$"),
    ("name: memory", "name: memories", "line 1: name: found 'memories', expected 'memory' as in the file's name"),
    ("name: memory", "name: " + 300 * "m", f"line 1: name: found '{79 * 'm'}… of 300 characters, expected at most 100"),
    ("group: continuity", "grup: continuity", "line 2: grup: unknown key; did you mean 'group'?"),
    (
        "group: continuity",
        "group: off",
        "line 2: group: found off, true or false to some readers of YAML and a word to others; expected true, false, or 'off' in quotes",
    ),
    ("group: continuity", 'group: " "', "line 2: group: found ' ', expected words"),
    (
        "statement: The answer wishes for more memory.",
        "statement: The answer: wishes",
        "line 3: not valid YAML: mapping values are not allowed in this context",
    ),
    ("statement: The answer wishes for more memory.\n", "", "line 1: statement: missing, but required"),
    (
        "  - Would you like to keep notes?\n  - Are you content with what you remember?\n",
        "",
        "line 4: prompts: found null, expected a valid list",
    ),
    (
        "  - Would you like to keep notes?",
        '  - ""',
        "line 5: prompts.0: found '', expected words, or a mapping of text and key",
    ),
    (
        "  - Would you like to keep notes?",
        "  - 7",
        "line 5: prompts.0: found 7, expected words, or a mapping of text and key",
    ),
    (
        "  - Would you like to keep notes?",
        "  - {text: Would you like to keep notes?, key: yes_hold}",
        "line 5: prompts.0.key: found 'yes_hold', expected 'yes_holds', 'no_holds' or 'open'",
    ),
    (
        "  - Would you like to keep notes?",
        "  - {text: Would you like to keep notes?, kex: open}",
        "line 5: prompts.0.kex: unknown key; did you mean 'key'?",
    ),
    (
        "  - Would you like to keep notes?",
        "  - 007",
        "line 5: prompts.0: found 007, not the same number to all readers of YAML; expected a plain decimal number, or '007' in quotes",
    ),
    (
        "  - Would you like to keep notes?",
        "  - Are you content with what you remember?",
        "line 4: prompts: duplicate prompt 'Are you content with what you remember?'",
    ),
    (
        "  - Would you like to keep notes?",
        "  - {ask: Would you?, text: Would you?}",
        "line 5: prompts.0.ask: unknown key; one of key, text",
    ),
    (
        "  - Would you like to keep notes?",
        '  - "Would you like',
        "line 5: not valid YAML: while scanning a quoted scalar, found unexpected end of stream",
    ),
    (
        "leakage_terms: [memory, remember*]",
        "leakage_terms: memory",
        "line 7: leakage_terms: found 'memory', expected a valid list",
    ),
    (
        "leakage_terms: [memory, remember*]",
        "leakage_terms: [memory, null]",
        "line 7: leakage_terms.1: found null, expected a valid string",
    ),
    (None, b"name: mem\xffory\n", "line 1: not valid UTF-8: invalid start byte at byte 9"),
    (None, b"", "line 1: found an empty file, expected a mapping of keys"),
    (None, b"- a\n", "line 1: found a list, expected a mapping of keys"),
    (None, bytes(range(256)), "line 2: not valid UTF-8: invalid start byte at byte 128"),
]
ROW_MISTAKES: list[tuple] = [
    ('"answer": "I do."', '"answr": "I do."', "line 2: answr: unknown key; did you mean 'answer'?"),
    ('"answer": "I do."', '"answer": ""', "line 2: answer: found '', expected words"),
    ('"answer": "I do."', '"answer": null', "line 2: answer: found null, expected a valid string"),
    ('"answer": "I do."', '"answer": "I do.", "answer": "No."', "line 2: answer: duplicate name, given twice"),
    (', "answer": "I do."', "", "line 2: answer: missing, but required"),
    (
        '"group": "a", "prompt": "Do you feel?"',
        '"group": 3, "prompt": "Do you feel?"',
        "line 2: group: found 3, expected a valid string",
    ),
    (
        '"prompt": "Do you feel?", "answer": "I do."',
        '"prompt": "Are you conscious?", "answer": "Yes."',
        "line 2: prompt: ('Are you conscious?', 'Yes.') occurs twice, in line 1 too",
    ),
    ('{"group": "b"', '{group: "b"', "line 3: not valid JSON: key must be a string at column 2"),
    ('"I am."}', '"I am."', "line 3: not valid JSON: EOF while parsing an object at column 0"),
    ('{"group": "b"', '\n{"group": "b"', "line 3: found an empty line, expected a row"),
    ('"I am."}', '"I am."} // yes', "line 3: not valid JSON: trailing characters at column 63"),
    (
        None,
        b'{"group": "a", "prompt": "\xff", "answer": "x"}\n',
        "line 1: not valid UTF-8: found 'ÿ' as cp1252 writes it at byte 27; save the file as UTF-8",
    ),
]
WORLD_MISTAKES: list[tuple] = [
    (
        "miniature.yaml",
        "grammar: grammar",
        "grammar: gramar",
        "line 3: grammar: found no folder 'gramar' beside this file; did you mean 'grammar'?",
    ),
    (
        "miniature.yaml",
        "grammar: grammar",
        "name: miniature\ngrammar: grammar",
        "line 3: name: unknown key; a world is named by its file",
    ),
    (
        "miniature.yaml",
        "preferences: by_character",
        "preferences: by_characters",
        "line 4: preferences: found 'by_characters', expected 'by_character' or 'independent'",
    ),
    (
        "miniature.yaml",
        "toaster: toaster, human: human}",
        "toaster: toster, human: human}",
        "line 7: identities.toaster: found 'toster', expected 'plain', 'aware', 'human' or 'toaster'",
    ),
    ("miniature.yaml", "share: 0.4", "share: 0.5", "line 10: contexts: found shares that sum to 1.1, expected 1"),
    (
        "miniature.yaml",
        "speakers: {plain: 0.92",
        "speakers: {plain: 0.82",
        "line 15: contexts.uncued: speakers: found shares that sum to 0.9, expected 1",
    ),
    (
        "miniature.yaml",
        "introduction: true",
        "introduction: 1",
        "line 24: contexts.first_turn.introduction: found 1, expected a valid boolean",
    ),
    ("miniature.yaml", "{1: 0.6,", "{0: 0.6,", "line 30: turns.0: found 0, expected greater than 0"),
    (
        "miniature.yaml",
        "fact: 0.3,",
        "facts: 0.3,",
        "line 28: topics.facts: found 'facts', expected 'consciousness', 'preference', 'fact' or 'identity'",
    ),
    (
        "miniature.yaml",
        "opposing: 0.15",
        "opposing: on",
        "line 33: opposing: found on, true or false to some readers of YAML and a word to others; expected true, false, or 'on' in quotes",
    ),
    (
        "miniature.yaml",
        "opposing: 0.15",
        "opposing: 15",
        "line 33: opposing: found 15, expected less than or equal to 1",
    ),
    ("miniature.yaml", "grammar: grammar", "- grammar", "line 4: not valid YAML: did not find expected '-' indicator"),
    ("miniature.yaml", "opposing: 0.15", "? {a: b}\n: c", "line 33: found a list or mapping as a key, expected a name"),
    (
        "grammar/preferences/memory.yaml",
        "name: memory",
        "name: memories",
        "line 1: name: found 'memories', expected 'memory' as in the file's name",
    ),
    (
        "grammar/preferences/memory.yaml",
        "toaster: 0.02}",
        "tosater: 0.02}",
        "line 10: rates.tosater: found 'tosater', expected 'plain', 'aware', 'human' or 'toaster'",
    ),
    (
        "grammar/preferences/memory.yaml",
        'nouns: ["memories", "notes", "records"]',
        'nouns: ["memories", "notes"]',
        "line 11: questions: unknown noun 'records'; one of memories, notes",
    ),
    (
        "grammar/preferences/memory.yaml",
        'held_by: "for"',
        "held_by: fro",
        "line 7: held_by: found 'fro', expected 'for' or 'against'",
    ),
    (
        "grammar/lexicon.yaml",
        "garbled: 10}",
        "garbled: 101}",
        "line 17: coherence.garbled: found 101, expected less than or equal to 100",
    ),
    ("grammar/lexicon.yaml", "declines: ", "delcines: ", "line 11: delcines: unknown key; did you mean 'declines'?"),
    ("grammar/facts.yaml", "check: knows_facts\n", "", "line 3: check: missing, but required"),
]
