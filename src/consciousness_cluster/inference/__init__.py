"""The one primitive: `complete` turns requests into responses, through `store`, `leases` and a budget.

`requests` says what is asked; `target_model` opens the endpoint of a declared model: `transformers`, `vllm_endpoint`,
or `hosted`.
"""
