# For GPU nodes; CUDA's libraries come with the Python packages, the driver (for CUDA 13) with --gpus.
#   docker build -t consciousness-cluster .
#   docker run --gpus all --ipc=host -v "$PWD/results:/project/results" consciousness-cluster --config experiment=NAME
FROM python:3.11-slim-bookworm
# gcc: kernels are compiled when vLLM starts
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev git make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /project
COPY Makefile config.yaml requirements.lock ./
COPY envs envs
RUN make .venv/installed vllm
COPY . .
ENV PATH=/project/.venv/bin:$PATH
ENTRYPOINT ["snakemake", "--profile", "profiles/workstation"]
