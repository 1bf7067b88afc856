"""Revision numbers of the stages that are expensive to run again.

A cheap stage reruns whenever its code changes (its fingerprint is a param). These stages rerun only when someone
decides that their results change, by raising the number here; `tests/unit/test_provenance.py` fails when the code of
such a stage moved and nobody decided.
"""

PRETRAINING = 1
SYNTHESIS = 1
FINETUNING = 1
REMOTE_FINETUNING = 1  # jobs at OpenAI and runs at Tinker: raising it pays for them again
SAMPLING = 1
