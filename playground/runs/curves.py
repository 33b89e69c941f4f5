"""The curves of a run as a chart wants them: a few hundred points however long the run, no spike lost."""

import threading
from array import array
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from msgspec import structs

from playground.core import jsonl
from playground.core.jsonl import Row
from playground.runs import rows
from playground.runs.downsampled import EvenSample, evenly_spaced
from playground.runs.folder import RunFolder
from playground.runs.rows import Metric

AXES = ("step", "tokens", "seconds")
TRAIN = ("loss", "lr", "grad_norm", "tokens_per_second")
RANGED = ("loss", "grad_norm")  # columns whose lowest and highest value in a bin are told too
VALIDATION = ("val_loss", "val_accuracy", "val_exact", "val_f1", "train_exact")
POINTS = 600
EVALUATIONS, PROBES = POINTS // 2, 100  # that are drawn; twice as many are kept
HEAVIEST = 1_000_000  # numbers of all probes that are kept
FEW = 32  # rows that are added one by one: quicker than as columns


class Downsampled:
    """Rows gathered in bins of 1, 2, 4, 8 … steps, at most ``limit`` of them; a row costs a few µs.

    A bin that is full never changes, until all bins are merged in pairs: so a growing curve stands still
    but for its end. The mean of a bin is exact; its lowest and highest values keep every spike. However the
    rows are divided among calls of ``add`` and ``add_all``, the bins come out the same to the last bit.
    """

    def __init__(self, columns: Sequence[str], limit: int = POINTS) -> None:
        self.columns, self.limit = tuple(columns), max(2, limit)
        self.stride = 1
        # each bin: [its number, the axes of its last row, {column: (sum, count, low, high)}]
        self.bins: list[list[Any]] = []

    def add(self, row: Row) -> None:
        number = (row["step"] - 1) // self.stride
        values = {
            name: (value := float(v), 1, value, value) for name in self.columns if (v := row.get(name)) is not None
        }
        axes = tuple(row.get(axis) or 0 for axis in AXES)
        if self.bins and self.bins[-1][0] >= number:
            self._join(self.bins[-1], [number, axes, values])
        else:
            self.bins.append([number, axes, values])
        while len(self.bins) > self.limit:
            self._halve()

    def add_all(self, rows: Sequence[Metric]) -> None:
        """Many rows at once, as columns: 0.2 µs a row."""
        if len(rows) < FEW:
            for row in rows:
                self.add(row.told())
            return
        steps = np.fromiter(map(attrgetter("step"), rows), np.int64, len(rows))
        columns = {name: np.array(list(map(attrgetter(name), rows)), dtype=float) for name in self.columns}  # None: NaN
        done = 0
        while done < len(rows):
            done = self._fill(rows, steps, columns, done)

    def _fill(self, rows: Sequence[Metric], steps: np.ndarray, columns: dict[str, np.ndarray], start: int) -> int:
        """Adds the rows from ``start`` on until there is a bin too many, and merges then; returns where it stopped."""
        latest = self.bins[-1][0] if self.bins else -2  # below the number of any step
        numbers = np.maximum.accumulate(np.concatenate(([latest], (steps[start:] - 1) // self.stride)))
        begins = np.diff(numbers) > 0  # where a new bin does
        places = np.cumsum(begins)  # 0 is the last bin that there was
        n = int(np.searchsorted(places, self.limit - len(self.bins) + 1)) + 1
        numbers, begins, places = numbers[1 : n + 1], begins[:n], places[:n]
        firsts = np.flatnonzero(begins)
        if not begins[0]:  # the first rows belong to the last bin, whose number stays
            firsts = np.concatenate(([0], firsts))
            found = [self.bins.pop()]
        else:
            found = []
            places = places - 1
        found += [[number, (), {}] for number in numbers[firsts[len(found) :]].tolist()]
        lasts = np.append(firsts[1:], len(places)) - 1 + start
        for bin, last in zip(found, lasts.tolist(), strict=True):
            bin[1] = tuple(getattr(rows[last], axis) or 0 for axis in AXES)
        for name, values in columns.items():
            _measure(found, name, values[start : start + n], places, firsts)
        self.bins += found
        while len(self.bins) > self.limit:
            self._halve()
        return start + len(places)

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


def _measure(bins: list[list[Any]], name: str, values: np.ndarray, places: np.ndarray, firsts: np.ndarray) -> None:
    """Adds a column to bins: ``values`` ``[n]``, NaN where there is none, each of the bin ``places`` ``[n]``.

    Sums are taken in the order of the rows, as `Downsampled.add` takes them: so does `numpy.bincount`.
    """
    there = np.isfinite(values)
    total, count, low, high = bins[0][2].get(name, (0.0, 0, np.inf, -np.inf))
    weights = np.concatenate(([total], values[there]))
    totals = np.bincount(np.concatenate(([0], places[there])), weights, len(bins)).tolist()
    counts = np.bincount(places[there], minlength=len(bins)).tolist()
    lows = np.minimum.reduceat(np.where(there, values, np.inf), firsts).tolist()
    highs = np.maximum.reduceat(np.where(there, values, -np.inf), firsts).tolist()
    counts[0], lows[0], highs[0] = counts[0] + count, min(lows[0], low), max(highs[0], high)
    for bin, *found in zip(bins, totals, counts, lows, highs, strict=True):
        if found[1]:
            bin[2][name] = tuple(found)


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
        self._train = Downsampled(TRAIN)
        self._evaluations = EvenSample(2 * EVALUATIONS, shape=_without_probe)
        self._probes = EvenSample(2 * PROBES, HEAVIEST, weigh=lambda probe: len(probe[1]), shape=_probe_of)
        self._probed: int | None = None  # tokens
        self._best: Metric | None = None
        self._table: dict[str, Any] | None = None
        self.newest: Row | None = None
        self.evaluated: Row | None = None
        self.best: tuple[int, float] | None = None
        self.not_finite: int | None = None
        self._spoilt: int | None = None  # the first of the steps just now whose gradient is no number

    def update(self) -> bool:
        """Reads what is new; says whether anything is. A run resumed from an earlier step is read again."""
        with self._lock:
            is_new = False
            for data, cursor, restarted in jsonl.parts(self.folder.path / "metrics.jsonl", self._cursor):
                self._cursor = cursor
                if restarted:
                    self._forget()
                found = rows.metrics(data)
                self._take(found)
                is_new |= restarted or bool(found)
            if is_new:
                self.version += 1
                self._table = None
            return is_new

    def _take(self, found: list[Metric]) -> None:
        if steps := [row for row in found if row.kind == "train"]:
            self._train.add_all(steps)
            self._look_for_no_numbers(steps)
            self.newest = steps[-1].told()
        if evaluations := [row for row in found if row.kind == "eval"]:
            self._evaluations.add_all(evaluations)
            self._look_at_probes(evaluations)
            self._look_for_best(evaluations)
            self.evaluated = evaluations[-1].told()

    def _look_for_no_numbers(self, steps: list[Metric]) -> None:
        if self.not_finite is not None:
            return
        for row in steps:
            if row.grad_norm is not None:
                self._spoilt = None
            elif self._spoilt is None:
                self._spoilt = row.step
            if row.loss is None:
                self.not_finite = self._spoilt or row.step
                return

    def _look_at_probes(self, evaluations: list[Metric]) -> None:
        sizes = [len(row.probe) for row in evaluations if row.probe]
        if sizes and self._probed is None:
            self._probed = sizes[0]
        self._probes.add_all([row for row in evaluations if row.probe and len(row.probe) == self._probed])

    def _look_for_best(self, evaluations: list[Metric]) -> None:
        told = [row for row in evaluations if row.val_loss is not None]
        best = min(told, key=attrgetter("val_loss"), default=None)
        if best is None or best.val_loss is None:
            return
        if self.best is None or best.val_loss < self.best[1]:
            self.best, self._best = (best.step, best.val_loss), _without_probe(best)

    def seconds_left(self, steps: int) -> float | None:
        """How long training to ``steps`` will take at the present speed; None while there is none."""
        row = self.newest
        if not row or (row.get("tokens_per_second") or 0) <= 0 or not row["step"] or "tokens" not in row:
            return None
        return max(0, steps - row["step"]) * row["tokens"] / row["step"] / row["tokens_per_second"]

    def table(self) -> dict[str, Any]:
        """``{"train": …, "validation": …, "probe": {"step": …, "rows": probabilities of each token}}``."""
        with self._lock:
            if self._table is None:
                probed = evenly_spaced(self._probes.items(), PROBES)
                self._table = {
                    "train": self._train.table(),
                    "validation": _columns(self._shown_evaluations()),
                    "probe": {
                        "step": [step for step, _ in probed],
                        "rows": [probe.tolist() for _, probe in probed],
                    },
                }
            return self._table

    def _shown_evaluations(self) -> list[Metric]:
        """The first, the last and the best, and others evenly between them."""
        kept = self._evaluations.items()
        if len(kept) <= EVALUATIONS and (self._best is None or self._best in kept):
            return kept
        chosen = evenly_spaced(kept, EVALUATIONS - 1)
        if self._best is not None and self._best not in chosen:
            chosen.insert(sum(row.step <= self._best.step for row in chosen[:-1]), self._best)
        return chosen


def _without_probe(row: Metric) -> Metric:
    return structs.replace(row, probe=None)


def _probe_of(row: Metric) -> tuple[int, array]:
    """(step, the probability of each token)."""
    return row.step, array("d", row.probe or ())


def _columns(found: list[Metric]) -> dict[str, list[float | None]]:
    measured = [name for name in VALIDATION if any(getattr(row, name) is not None for row in found)]
    return {
        name: [None if (v := getattr(row, name)) is None else _short(v) for row in found] for name in (*AXES, *measured)
    }
