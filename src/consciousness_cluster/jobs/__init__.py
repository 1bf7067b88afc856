"""How a workflow script becomes a process.

`entry` runs a function, in a child of the `fork_server` or of the worker `pool`; `run_lock` keeps runs apart, `slurm`
lets every Slurm job come to an end.
"""
