"""What may be spent and was.

`prices`, the `ledger`, an `account` per job, `reservation` of what requests can cost, `training_jobs` at providers.
"""
