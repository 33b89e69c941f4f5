"""The command line: ``python -m playground train | generate | runs | data | presets | bench``."""

from playground.cli.main import main

__all__ = ["main"]
