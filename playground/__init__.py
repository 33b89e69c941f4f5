"""LM Playground: build, train, look inside and export small language models."""

from playground.errors import PlaygroundError
from playground.paths import home

__version__ = "0.1.0"
__all__ = ["PlaygroundError", "home", "__version__"]
