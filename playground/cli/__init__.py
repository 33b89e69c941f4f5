"""The command line: ``python -m playground train | finetune | generate | label | export | import | runs | data | bench``."""

from playground.cli.main import main

__all__ = ["main"]
