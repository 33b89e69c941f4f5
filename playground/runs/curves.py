"""The curves of a run as a chart wants them: a few hundred points however long the run, no spike lost."""

import threading
from collections.abc import Sequence
from typing import Any

from playground.runs import lines
from playground.runs.folder import RunFolder
from playground.runs.lines import Row

AXES = ("step", "tokens", "seconds")
TRAIN = ("loss", "lr", "grad_norm", "tokens_per_second")
RANGED = ("loss", "grad_norm")  # columns whose lowest and highest value in a bin are told too
VALIDATION = ("val_loss", "val_accuracy", "val_exact", "val_f1")
POINTS = 600


class Thinned:
    """Rows gathered in bins of 1, 2, 4, 8 … steps, at most ``limit`` of them; a row costs a few µs.

    A bin that is full never changes, until all bins are merged in pairs: so a growing curve stands still
    but for its end. The mean of a bin is exact; its lowest and highest values keep every spike.
    """

    def __init__(self, columns: Sequence[str], limit: int = POINTS) -> None:
        self.columns, self.limit = tuple(columns), max(2, limit)
        self.stride = 1
        # each bin: [its number, the axes of its last row, {column: (sum, count, low, high)}]
        self.bins: list[list[Any]] = []

    def add(self, row: Row) -> None:
        number = (row["step"] - 1) // self.stride
        values = {name: (v, 1, v, v) for name in self.columns if (v := row.get(name)) is not None}
        axes = tuple(row.get(axis, 0) for axis in AXES)
        if self.bins and self.bins[-1][0] >= number:
            self._join(self.bins[-1], [number, axes, values])
        else:
            self.bins.append([number, axes, values])
        while len(self.bins) > self.limit:
            self._halve()

    def _halve(self) -> None:
        self.stride *= 2
        before, self.bins = self.bins, []
        for bin in before:
            bin[0] //= 2
            if self.bins and self.bins[-1][0] == bin[0]:
                self._join(self.bins[-1], bin)
            else:
                self.bins.append(bin)

    @staticmethod
    def _join(bin: list[Any], other: list[Any]) -> None:
        bin[1] = other[1]
        for name, (total, count, low, high) in other[2].items():
            if name in bin[2]:
                t, n, lowest, highest = bin[2][name]
                bin[2][name] = (t + total, n + count, min(lowest, low), max(highest, high))
            else:
                bin[2][name] = (total, count, low, high)

    def table(self) -> dict[str, list[float | None]]:
        """Lists of equal length: ``step``, ``tokens``, ``seconds`` at each bin's end, the mean of every
        column, and ``*_low`` and ``*_high`` of those in RANGED. None where a bin has no finite value."""
        table: dict[str, list[float | None]] = {
            axis: [_short(bin[1][index]) for bin in self.bins] for index, axis in enumerate(AXES)
        }
        for name in self.columns:
            found = [bin[2].get(name) for bin in self.bins]
            table[name] = [None if it is None else _short(it[0] / it[1]) for it in found]
            if name in RANGED and self.stride > 1:
                table[f"{name}_low"] = [None if it is None else _short(it[2]) for it in found]
                table[f"{name}_high"] = [None if it is None else _short(it[3]) for it in found]
        return table


def _short(value: float) -> float:
    """Six digits are more than a chart can show, and halve what travels to the browser."""
    return value if isinstance(value, int) else float(f"{value:.6g}")


class RunCurves:
    """Everything a run has measured so far, ready to be drawn; shared by all who watch.

    Attributes:
        version: changes whenever ``table`` would be another one.
        newest: the last training row; ``evaluated``: the last evaluation.
        best: (step, validation loss) of the best evaluation.
        not_finite: the step at which the loss, or the gradient just before, stopped being a number.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.version = 0
        self._cursor = 0
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._train = Thinned(TRAIN)
        self._evaluations: list[Row] = []
        self._table: dict[str, Any] | None = None
        self.newest: Row | None = None
        self.best: tuple[int, float] | None = None
        self.not_finite: int | None = None
        self._spoilt: int | None = None  # the first of the steps just now whose gradient is no number

    def update(self) -> bool:
        """Reads what is new; says whether anything is. A run resumed from an earlier step is read again."""
        with self._lock:
            rows, self._cursor, restarted = lines.read(self.folder.path / "metrics.jsonl", self._cursor)
            if restarted:
                self._forget()
            for row in rows:
                self._take(row)
            if rows or restarted:
                self.version += 1
                self._table = None
            return bool(rows) or restarted

    def _take(self, row: Row) -> None:
        if row.get("kind") == "train":
            self._train.add(row)
            self.newest = row
            if row.get("grad_norm") is not None:
                self._spoilt = None
            elif self._spoilt is None:
                self._spoilt = row["step"]
            if row.get("loss") is None and self.not_finite is None:
                self.not_finite = self._spoilt or row["step"]
        elif row.get("kind") == "eval":
            self._evaluations.append(row)
            loss = row.get("val_loss")
            if loss is not None and (self.best is None or loss < self.best[1]):
                self.best = (row["step"], loss)

    @property
    def evaluated(self) -> Row | None:
        return self._evaluations[-1] if self._evaluations else None

    def seconds_left(self, steps: int) -> float | None:
        """How long training to ``steps`` will take at the present speed; None while there is none."""
        row = self.newest
        if not row or not row.get("tokens_per_second") or not row["step"]:
            return None
        return max(0, steps - row["step"]) * row["tokens"] / row["step"] / row["tokens_per_second"]

    def table(self) -> dict[str, Any]:
        """``{"train": …, "validation": …, "probe": {"step": …, "rows": probabilities of each token}}``."""
        with self._lock:
            if self._table is None:
                chosen = spread(self._evaluations, POINTS // 2)
                probed = spread([row for row in self._evaluations if row.get("probe")], 100)
                self._table = {
                    "train": self._train.table(),
                    "validation": _columns(chosen),
                    "probe": {
                        "step": [row["step"] for row in probed],
                        "rows": [row["probe"] for row in probed],
                    },
                }
            return self._table


def _columns(rows: list[Row]) -> dict[str, list[float | None]]:
    names = [*AXES, *(name for name in VALIDATION if any(name in row for row in rows))]
    return {
        name: [None if (v := row.get(name)) is None else _short(v) for row in rows] for name in names
    }


def spread(items: list[Any], limit: int) -> list[Any]:
    """At most ``limit`` of the items, evenly over the whole list, the first and the last among them."""
    if len(items) <= limit:
        return list(items)
    return [items[round(index * (len(items) - 1) / (limit - 1))] for index in range(limit)]
