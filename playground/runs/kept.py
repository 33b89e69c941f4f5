"""A few of many, evenly: what is kept of a list that grows without end, and what is shown of it."""

from typing import Any


class Kept:
    """Every one of the items at first, then every second, fourth, eighth …: bounded, however many are added.

    Up to ``limit`` items are kept; the newest of all is known besides.

    Attributes:
        count: how many were added.
    """

    def __init__(self, limit: int, heaviest: float = float("inf")) -> None:
        self.limit, self.heaviest = max(2, limit), heaviest
        self.count, self.stride, self.weight = 0, 1, 0
        self._items: list[tuple[int, Any, int]] = []  # (its number, the item, its weight)
        self._newest: tuple[int, Any, int] | None = None

    def add(self, item: Any, weight: int = 0) -> None:
        """Adds one; ``weight`` is what it costs to keep, of at most ``heaviest`` for all."""
        self._newest = (self.count, item, weight)
        if self.count % self.stride == 0:
            self._items.append(self._newest)
            self.weight += weight
        self.count += 1
        while len(self._items) > self.limit or (self.weight > self.heaviest and len(self._items) > 1):
            self.stride *= 2
            self._items = [each for each in self._items if each[0] % self.stride == 0]
            self.weight = sum(weight for *_, weight in self._items)

    @property
    def newest(self) -> Any:
        """The last one added; None before the first."""
        return self._newest[1] if self._newest else None

    def items(self) -> list[Any]:
        """The first, those kept evenly, and the newest, in order."""
        found = [item for _, item, _ in self._items]
        if self._newest and self._items[-1][0] != self._newest[0]:
            found.append(self.newest)
        return found


def spread(items: list[Any], limit: int) -> list[Any]:
    """At most ``limit`` of the items, evenly over the whole list, the first and the last among them."""
    if len(items) <= limit:
        return list(items)
    return [items[round(index * (len(items) - 1) / (limit - 1))] for index in range(limit)]
