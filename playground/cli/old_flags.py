"""Flags that earlier versions had under other names. They are read, and no help shows them."""

import argparse
from typing import Any


def add_old_flag(parser: argparse.ArgumentParser, old: str, new: str, **options: Any) -> None:
    """Lets ``old`` set what ``new`` sets.

    Args:
        old, new: flags with their dashes, such as "--share" and "--train-fraction".
        options: further arguments of ``add_argument``, such as ``type``.
    """
    parser.add_argument(old, dest=new.lstrip("-").replace("-", "_"), help=argparse.SUPPRESS, **options)
