"""The architectures of LM Playground: plain torch, to be read like a textbook.

Choices (`ModelSpec`, `PRESETS`) and arithmetic about them (`parameter_counts`, `memory`, `flops_per_token`)
need no torch; whatever does is imported on first use, so that `import models` stays instant.
"""

from importlib import import_module
from typing import Any

from models.costs import Flops, Memory, flops_per_token, memory
from models.parameter_counts import parameter_counts
from models.presets import PRESETS, Preset
from models.spec import ModelSpec, SpecError

_LAZY = {
    "build": "models.factory",
    "DecoderState": "models.kv_cache",
    "beam": "models.generate",
    "decode": "models.generate",
    "greedy": "models.generate",
    "ClassificationHead": "models.heads",
    "ModelWithHead": "models.heads",
    "TaggingHead": "models.heads",
    "Output": "models.hooks",
    "Source": "models.transformer",
    "Hook": "models.hooks",
}

__all__ = [
    "PRESETS",
    "Flops",
    "Memory",
    "ModelSpec",
    "Preset",
    "SpecError",
    "flops_per_token",
    "memory",
    "parameter_counts",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
