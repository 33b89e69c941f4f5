"""Flags of earlier versions still set what their present names set, and no help shows them."""

import argparse

import pytest

from playground.cli import finetune_command, generate_command
from playground.runs.settings import WRITTEN, flag

FLAGS = [
    (finetune_command, ["finetune", "RUN", "--data", "x"], "--matrices", "--target-modules", "query,value"),
    (finetune_command, ["finetune", "RUN", "--data", "x"], "--share", "--train-fraction", "0.5"),
    (finetune_command, ["finetune", "RUN", "--data", "x"], "--shares", "--train-fractions", "0.1,1"),
    (generate_command, ["generate", "RUN"], "--tokens", "--max-new-tokens", "7"),
]


@pytest.mark.parametrize("command, line, old, new, value", FLAGS)
def test_an_old_flag_is_read(command, line, old, new, value):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    read = parser.parse_args([*line, old, value])
    name = new.removeprefix("--").replace("-", "_")
    assert flag(read, name) == old and flag(parser.parse_args([*line, new, value]), name) == new, "errors name it"
    delattr(read, f"{name}{WRITTEN}")
    assert vars(read) == vars(parser.parse_args([*line, new, value]))
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    shown = commands.choices[line[0]].format_help()
    assert f"{new} " in shown and f"{old} " not in shown
