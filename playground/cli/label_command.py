"""``python -m playground label RUN``: the labels of a text, or of every row of a file."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playground.cli import engine
from playground.cli.checkpoint import TARGET, at_step
from playground.cli.progress import tell_notes
from playground.core.errors import PlaygroundError
from playground.core.paths import for_others, grant
from playground.core.terminal import in_line, restart_line
from playground.runs.settings import given
from playground.text.encodings import check_encoding

if TYPE_CHECKING:
    from playground.finetune.labeller import Labeller


def add(commands) -> None:
    parser = commands.add_parser("label", help="let a fine-tuned run label a text or a file")
    parser.add_argument("target", metavar="RUN[@STEP]", help=TARGET)
    parser.add_argument("what", nargs="?", metavar="FILE", help="a table, or a text file with one text per line")
    parser.add_argument("--text", help="one text, instead of a file")
    parser.add_argument("--text-column", metavar="COLUMN", help="the column with the texts")
    parser.add_argument("--encoding", metavar="NAME", help="encoding of the file, such as cp1254 (default: detected)")
    parser.add_argument("--to", metavar="FILE", help="output file, as CSV (default: FILE-labelled.csv)")
    engine.add(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from playground.finetune.labeller import labeller_of

    if (options.what is None) == (options.text is None):
        raise PlaygroundError("Give a file or a --text, one of the two.")
    if not (options.what or options.text or "").strip():
        raise PlaygroundError("The text is empty.", 'Give a file, or a text such as --text "It was good.".')
    if options.text is not None and (unread := given(options, "text_column", "encoding", "to")):
        raise PlaygroundError(
            f"{', '.join(unread)} belong to a file, not to --text.", f"Leave out {', '.join(unread)}."
        )
    check_encoding(options.encoding)
    folder, step = at_step(options)
    labeller = labeller_of(folder, step, engine.engine_of(folder, step, options), options.device)
    if options.text is not None:
        label(labeller, options.text)
    else:
        grant(options.what, once=True)
        label_file(labeller, Path(options.what).expanduser().absolute(), options)
    print(f"[labelled by {labeller.ran_by}]", file=sys.stderr)
    return 0


def label(labeller: "Labeller", text: str) -> None:
    """Prints the most likely labels of a text, or the label of each of its words."""
    if labeller.task == "tag":
        for piece, likely in labeller.tags(text):
            print(f"{piece.strip():20} {in_line(labeller.labels[int(likely.argmax())]):16} {likely.max():6.1%}")
        return
    if labeller.cuts(text):
        tell_notes([f"The text is longer than the model reads: its first {labeller.length:,} tokens are kept."])
    likely = labeller.probabilities([text])[0]
    for code in (-likely).argsort()[:10]:
        print(f"{likely[code]:6.1%}  {in_line(labeller.labels[code])}")


def label_file(labeller: "Labeller", source: Path, options: argparse.Namespace) -> None:
    """Writes a table with the labels of every row."""
    from playground.finetune.labeller import label_table

    target = Path(options.to).expanduser() if options.to else source.with_name(f"{source.stem}-labelled.csv")
    if target.suffix.lower() not in ("", ".csv", ".txt"):
        raise PlaygroundError(
            f"The answers are written as CSV, which {target.name} does not say.", "Let its name end in .csv."
        )
    told = lambda n: _in_place(f"Rows: {n:,}")
    notes: list[str] = []
    with for_others():
        n = label_table(
            labeller, str(source), options.text_column, target, told, tell=notes.extend, encoding=options.encoding
        )
    _in_place("")
    print(f"{n:,} {'row' if n == 1 else 'rows'} labelled: {target}")
    tell_notes(notes)


def _in_place(text: str) -> None:
    """How far it is, on a line that is written anew; a file keeps none of it."""
    if sys.stderr.isatty():
        restart_line(sys.stderr)
        print(text, end="", file=sys.stderr, flush=True)
