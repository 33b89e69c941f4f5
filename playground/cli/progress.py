"""One live line: step, loss, perplexity, tokens per second, time to go."""

import math
import os
import shutil
import sys
import time
from typing import Any

from playground.core.terminal import restart_line
from playground.runs.folder import RunFolder

PLAIN_SECONDS = 5.0  # how often a line is printed where the output is a file and nothing can be overwritten


class Progress:
    """Prints what a run tells. On a terminal one line is rewritten; in a file lines are few.

    Args:
        folder: the run.
        quiet: only the result.
        noticed: notices that were told already, for runs that come one after another.
    """

    def __init__(self, folder: RunFolder, quiet: bool = False, noticed: set[str] | None = None) -> None:
        self.folder, self.quiet = folder, quiet
        self.noticed = set() if noticed is None else noticed
        self.live = sys.stdout.isatty()
        self.last: dict[str, Any] = {}
        self.evaluation: dict[str, Any] = {}
        self.printed = -math.inf
        self.said = ""
        self.problem: dict[str, str] = {}

    def on_event(self, kind: str, value: Any) -> None:
        if kind == "metrics":
            for line in value:
                if line["kind"] == "train":
                    self.last = line
                elif "val_loss" in line and "val_accuracy" in line:
                    self.evaluation = line
                    self._line(self._evaluated(line))
            self._step()
        elif kind == "sample":
            self._line(self._sampled(value))
        elif kind == "notice":
            self._notice(value["message"])
        elif kind == "status" and value.get("state") == "failed":
            self.problem = value
        elif kind == "status" and value.get("message") and value["message"] != self.said:
            self.said = value["message"]
            self.note(self.said)

    def note(self, text: str) -> None:
        """A sentence on the live line."""
        if self.quiet:
            return
        if self.live:
            width = shutil.get_terminal_size((200, 24)).columns - 1  # a line that wraps could not be rewritten
            self._print(text[:width], end="", again=True)
        else:
            self._print(text)

    def _notice(self, text: str) -> None:
        """What was left out, cut or is unusual: told by quiet commands too, and once for runs on the same text."""
        if text in self.noticed:
            return
        self.noticed.add(text)
        if self.quiet:
            tell_notes([text])
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        if self.quiet:
            return
        self._print(text, again=True)

    def _print(self, text: str, end: str = "\n", again: bool = False) -> None:
        try:
            if again:
                restart_line(sys.stdout)
            print(text, end=end, flush=True)
        except BrokenPipeError:  # "| head" has seen enough: no reason to stop training
            self.quiet = True
            nobody_reads()

    def _step(self) -> None:
        due = self.live or time.monotonic() - self.printed > PLAIN_SECONDS
        if not self.last or not due:
            return
        self.printed = time.monotonic()
        self.note(progress_line(self.last, self.folder.status().steps))

    def _evaluated(self, line: dict) -> str:
        exact = f"  exact {line['val_exact']:.1%}" if line.get("val_exact") is not None and "val_exact" in line else ""
        if "train_exact" in line:
            exact += f"  (in training {line['train_exact']:.1%})"
        if "val_f1" in line:
            return (
                f"step {line['step']:>6,}  validation loss {line['val_loss']:.4f}  "
                f"accuracy {line['val_accuracy']:.1%}  macro F1 {line['val_f1']:.1%}"
            )
        return (
            f"step {line['step']:>6,}  validation loss {line['val_loss']:.4f}  "
            f"perplexity {perplexity(line['val_loss'])}  accuracy {line['val_accuracy']:.1%}{exact}"
        )

    def _sampled(self, line: dict) -> str:
        if line["kind"] == "text":
            return f"  it writes: {line.get('prompt', '')}▸{line['text']}".replace("\n", "↵")[:200]
        if line["kind"] == "answers":
            return "\n".join(f"  {e['source']} → {e['answer']}   (right: {e['target']})" for e in line["examples"])
        if line["kind"] == "labels":
            return "\n".join(_labelled(e) for e in line["examples"])
        filled = list(line["filled"])
        for place in line["blanks"]:
            filled[place] = f"[{filled[place]}]"
        return f"  it fills: {''.join(filled)}".replace("\n", "↵")[:200]

    def close(self, state: str) -> None:
        status = self.folder.status()
        words = {"finished": "Finished", "paused": "Paused", "stopped": "Stopped", "failed": "Failed"}.get(state, state)
        if state == "failed":
            problem = self.problem or {"message": status.message, "hint": status.hint}
            print("\n".join(filter(None, ["", problem["message"], in_terminal(problem["hint"])])), file=sys.stderr)
            return
        loss = f", validation loss {self.evaluation['val_loss']:.4f}" if self.evaluation else ""
        restart_line(sys.stdout)
        print(f"{words} at step {status.step:,}{loss}. The run is {self.folder.id}, in {self.folder.path}")
        if self.folder.checkpoints() and not self.quiet:
            tuned = self.folder.config().finetune
            labels = tuned is not None and tuned.reads_labels
            use = f'label {self.folder.id} --text "..."' if labels else f'generate {self.folder.id} --prompt "..."'
            print(f"Try it: python -m playground {use}")


def _labelled(example: dict) -> str:
    """One example of a labelled text: what the model says, and what is right."""
    if "pieces" in example:
        words = zip(example["pieces"], example["said"], example["tags"])
        return (
            "  " + "".join(f"{word}[{said}{'' if said == tag else f', not {tag}'}]" for word, said, tag in words)[:198]
        )
    right = "" if example["said"] == example["label"] else f", right: {example['label']}"
    sure = example.get("probability")  # a file keeps none that is no number
    sure = "" if sure is None else f"{sure:.0%}"
    told = f"{sure}{right}".removeprefix(", ")
    return f"  {example['text'][:100]} → {example['said']}" + (f" ({told})" if told else "")


FLAGS = {  # what the app asks for with a box
    f"Choose the column with the {what}:": f"Name the column with the {what} (--{what}-column):"
    for what in ("text", "label")
}


def in_terminal(hint: str) -> str:
    """A hint of the core, with the flag that does here what a box does in the app."""
    for box, flag in FLAGS.items():
        hint = hint.replace(box, flag)
    return hint


def tell_notes(notes: list[str]) -> None:
    """What was left out, cut or is unusual, beside the output proper."""
    for note in notes:
        restart_line(sys.stderr)
        print(note, file=sys.stderr)


def nobody_reads() -> None:
    """Sends all further output nowhere, also what Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def perplexity(loss: float) -> str:
    return f"{math.exp(loss):.2f}" if loss < 20 else "over 10⁸"


def progress_line(line: dict, steps: int | None) -> str:
    """``step 120/2,000  loss 2.913  perplexity 18.4  31,200 tokens/s  ETA 0:41``"""
    loss = "not a number" if line.get("loss") is None else f"{line['loss']:.4f}  perplexity {perplexity(line['loss'])}"
    pace, eta = "", ""
    if line.get("tokens_per_second"):
        pace = f"  {line['tokens_per_second']:,.0f} tokens/s"
        if steps and line["step"] and "tokens" in line:
            left = (steps - line["step"]) * line["tokens"] / line["step"] / line["tokens_per_second"]
            eta = f"  ETA {clock(left)}"
    total = f"/{steps:,}" if steps else ""
    return f"step {line['step']:,}{total}  loss {loss}{pace}{eta}"


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
