"""Starts vLLM's server, run by the interpreter of vLLM's own environment; arguments are those of the server.

Only vLLM knows on what it will run, and finding out means importing it: what depends on that is decided here. Nothing
of the project, and of its packages, is imported.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys

SERVER = "vllm.entrypoints.openai.api_server"
SAYS = "vllm_launch: "
"""Begins a line that says why the server was not started."""

CPU_ARGUMENTS = (
    "--kv-cache-memory-bytes",
    str(2**30),
    # a prompt in parts needs random generators that can step back, which those of a CPU cannot
    "--no-enable-chunked-prefill",
    "--enforce-eager",
)


def main(arguments: list[str]) -> None:
    """Start the server in this process; see the module."""
    if importlib.util.find_spec("vllm") is None:
        sys.exit(f"{SAYS}vLLM is not installed for {sys.executable}; `make vllm` installs it beside this project")
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]  # in its own environment

    gpus = int(arguments[arguments.index("--tensor-parallel-size") + 1])
    if current_platform.is_unspecified():
        sys.exit(f"{SAYS}vLLM finds no GPU on this machine, and this build of it needs one")
    if current_platform.is_cpu():
        arguments = [*arguments, *CPU_ARGUMENTS]
    elif gpus > current_platform.device_count():
        sys.exit(
            f"{SAYS}engine.tensor_parallel: found {gpus}, but vLLM sees {current_platform.device_count()} GPUs here"
        )
    sys.argv = [SERVER, *arguments]
    runpy.run_module(SERVER, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
