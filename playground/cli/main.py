"""Arguments in, one command run, errors as sentences: exit status 2 is the person's to mend, 1 a bug of ours."""

import argparse
import io
import sys

from playground.cli import (
    bench_command,
    data_command,
    export_command,
    finetune_command,
    generate_command,
    import_command,
    label_command,
    runs_command,
    train_command,
)
from playground.cli.progress import in_terminal, nobody_reads
from playground.core.errors import UserError
from playground.core.paths import on_guard
from playground.core.terminal import letters_only

COMMANDS = (
    train_command,
    finetune_command,
    generate_command,
    label_command,
    export_command,
    import_command,
    runs_command,
    data_command,
    bench_command,
)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no Chinese shows "?"
    with letters_only():
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    options = parser().parse_args(arguments)
    on_guard()
    try:
        return options.run(options) or 0
    except UserError as error:
        print(f"\n{error.message}", file=sys.stderr)
        if error.hint:
            print(in_terminal(error.hint), file=sys.stderr)
        return 2
    except BrokenPipeError:
        nobody_reads()
        return 0
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m playground",
        description="Build small language models, watch them learn, look inside them, and export them.",
    )
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return root
