"""One line of the table, and what a part is told before it measures."""

import gc
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

OURS = ("playground", "models", "tests")


@dataclass(frozen=True)
class Row:
    """What was measured.

    Attributes:
        what, measured, goal: in words.
        met: whether the goal was reached; None where there is none.
        state: "failed" or "skipped" where nothing was measured; else "".
        figures: the numbers behind the words, for the JSON.
    """

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None
    state: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """Where a part runs, how large, and until when.

    Attributes:
        device: "cuda"; "cpu" in a rehearsal.
        rehearsal: everything tiny, on the CPU, to see that all of it runs.
        deadline: of `time.monotonic`, after which no new measurement should begin.
        card: what the part "card" found: name, bf16_tflops, bandwidth …; empty where it failed.
    """

    device: str = "cpu"
    rehearsal: bool = True
    deadline: float = float("inf")
    card: dict[str, Any] = field(default_factory=dict)

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def goal(self, reached: bool) -> bool | None:
        """Whether a goal of speed was met; of a rehearsal nobody can say."""
        return None if self.rehearsal else bool(reached)


def failed(what: str, error: BaseException | str, goal: str = "") -> Row:
    """A row for what went wrong: the sentence of the error (CUDA's errors go on with advice; the part's log has all)."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    name = "" if isinstance(error, str) else f"{type(error).__name__}: "
    return Row(what, f"failed: {name}{lines[0][:300]}", goal, False, "failed")


def skipped(what: str, why: str, goal: str = "") -> Row:
    return Row(what, f"skipped: {why}", goal, None, "skipped")


def missing(error: ModuleNotFoundError) -> str:
    """The package that is not there, as a person would install it; "" where the module is ours and the error a mistake."""
    name = (error.name or "").split(".")[0]
    known = {"sklearn": "scikit-learn", "charset_normalizer": "charset-normalizer", "onnxruntime": "onnxruntime-gpu"}
    return "" if name in ("", *OURS) else known.get(name, name)


def attempt(what: str, measure: Callable[..., Row | Iterable[Row]], *arguments: Any, goal: str = "") -> Iterator[Row]:
    """The rows of one measurement; a row that says so where it fails or lacks a package. What follows goes on."""
    try:
        made = measure(*arguments)
        yield from [made] if isinstance(made, Row) else made
    except ModuleNotFoundError as error:
        traceback.print_exc()
        name = missing(error)
        yield skipped(what, f"{name} is not installed", goal) if name else failed(what, error, goal)
    except Exception as error:
        traceback.print_exc()
        yield failed(what, error, goal)
    finally:
        tidy()


def tidy() -> None:
    """Gives the memory of what is over back to the card."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def first_difference(ours: list[int], theirs: list[int]) -> int | None:
    """Where two texts differ first, counted from 0; None where they are the same."""
    n = min(len(ours), len(theirs))
    return next((i for i in range(n) if ours[i] != theirs[i]), None if len(ours) == len(theirs) else n)
