"""Flags that earlier versions had under other names. They are read, and no help shows them."""

import argparse
from typing import Any

from playground.runs.settings import WRITTEN


class _AsWritten(argparse.Action):
    """Stores the value where the present flag has it, and the flag for `playground.runs.settings.flag`."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, f"{self.dest}{WRITTEN}", option_string)


def add_old_flag(parser: argparse.ArgumentParser, old: str, new: str, **options: Any) -> None:
    """Lets ``old`` set what ``new`` sets.

    Args:
        old, new: flags with their dashes, such as "--share" and "--train-fraction".
        options: further arguments of ``add_argument``, such as ``type``.
    """
    name = new.lstrip("-").replace("-", "_")
    parser.add_argument(old, dest=name, help=argparse.SUPPRESS, action=_AsWritten, **options)
