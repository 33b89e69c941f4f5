"""LM Playground: build, train, look inside and export small language models."""

from playground.core.errors import PlaygroundError
from playground.core.paths import home

__version__ = "0.1.0"
__all__ = ["PlaygroundError", "home", "__version__"]
