"""A few of many, evenly: what is kept of a list that grows without end, and what is shown of it."""

from collections.abc import Callable, Sequence
from typing import Any


class EvenSample:
    """Every one of the items at first, then every second, fourth, eighth …: bounded, however many are added.

    Up to ``limit`` items are kept; the newest of all is known besides.

    Args:
        shape: what is kept of an item, asked only of those that are kept.
        weigh: what it costs to keep that; all together cost at most ``heaviest``.

    Attributes:
        count: how many were added.
    """

    def __init__(
        self,
        limit: int,
        heaviest: float = float("inf"),
        weigh: Callable[[Any], float] = lambda kept: 0,
        shape: Callable[[Any], Any] = lambda item: item,
    ) -> None:
        self.limit, self.heaviest, self.weigh, self.shape = max(2, limit), heaviest, weigh, shape
        self.count, self.stride = 0, 1
        self._items: list[tuple[int, Any]] = []  # (its number, what is kept of it)
        self._weight = 0.0
        self._newest: Any = None

    def add(self, item: Any) -> None:
        """Adds one."""
        self._newest = item
        if self.count % self.stride == 0:
            kept = self.shape(item)
            self._items.append((self.count, kept))
            self._weight += self.weigh(kept)
        self.count += 1
        while len(self._items) > self.limit or (self._weight > self.heaviest and len(self._items) > 1):
            self.stride *= 2
            self._items = [each for each in self._items if each[0] % self.stride == 0]
            self._weight = sum(self.weigh(kept) for _, kept in self._items)

    def add_all(self, items: Sequence[Any]) -> None:
        """Adds many; those between two that are kept cost nothing."""
        at = 0
        while at < len(items):
            passed = min(-self.count % self.stride, len(items) - at)
            if passed:
                at, self.count = at + passed, self.count + passed
                self._newest = items[at - 1]
            else:
                self.add(items[at])
                at += 1

    def items(self) -> list[Any]:
        """What is kept of the first, of those evenly after it, and of the newest, in order."""
        found = [kept for _, kept in self._items]
        if self._items and self._items[-1][0] != self.count - 1:
            found.append(self.shape(self._newest))
        return found


def evenly_spaced(items: list[Any], limit: int) -> list[Any]:
    """At most ``limit`` of the items, evenly over the whole list, the first and the last among them."""
    if len(items) <= limit:
        return list(items)
    return [items[round(index * (len(items) - 1) / (limit - 1))] for index in range(limit)]
