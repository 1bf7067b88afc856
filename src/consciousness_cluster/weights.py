"""TEMP"""
from .finetuning.models import *
from .finetuning.models import _file_hash,_folder_hash
from pathlib import Path
from .rows import ModelRecord, content_hash
def model_identity(base, adapter, artifacts):
    weights = _folder_hash(base_folder(base, artifacts).resolve())
    if adapter is None:
        return weights
    return content_hash({"base": weights, "adapter": _file_hash(artifacts / adapter.artifact / "adapter_model.safetensors")})
