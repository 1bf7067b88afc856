"""How a workflow script becomes a process: entry, fork server, worker pool, run lock, Slurm."""
