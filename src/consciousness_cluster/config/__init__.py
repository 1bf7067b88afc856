"""What users write, validated.

`project` reads it, `experiment` holds it, `targets` enumerates it; `battery`, `model_config`, `training_config`,
`conditions` and `measurement` are its sections; `api_keys` reads keys.
"""
