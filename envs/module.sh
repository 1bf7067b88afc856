# Sourced by the shell of each job (BASH_ENV, see environments.py). Snakemake selects a rule's environment with
# `module load NAME`; this is that command where there is no conda: it puts the virtual environment .envs/NAME first.
if [ -n "${CONSCIOUSNESS_CLUSTER_BASH_ENV:-}" ]; then . "$CONSCIOUSNESS_CLUSTER_BASH_ENV"; fi
module() {
  [ "$1" = load ] || return 0
  local environment="$CONSCIOUSNESS_CLUSTER_ENVIRONMENTS/$2"
  if [ ! -e "$environment/installed" ]; then
    echo "error: no environment in $environment: type 'make vllm'" >&2
    return 1
  fi
  export PATH="$environment/bin:$PATH"
}
