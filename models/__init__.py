"""The architectures of LM Playground: plain torch, to be read like a textbook.

Choices (`ModelSpec`, `PRESETS`) and arithmetic about them (`parameter_counts`, `memory`, `flops_per_token`)
need no torch; whatever does is imported on first use, so that `import models` stays instant.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from models.costs import Flops, Memory, flops_per_token, memory, parameter_counts
from models.presets import PRESETS, Preset
from models.spec import ModelSpec, SpecError

_LAZY = {
    "build": "models.build",
    "DecoderState": "models.cache",
    "beam": "models.decode",
    "decode": "models.decode",
    "greedy": "models.decode",
    "ClassificationHead": "models.heads",
    "Reader": "models.heads",
    "TaggingHead": "models.heads",
    "Output": "models.output",
    "Tap": "models.output",
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


class _Package(ModuleType):
    """`models.build` and `models.decode` are each a module and a function in it; the function wins."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _LAZY and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


sys.modules[__name__].__class__ = _Package
