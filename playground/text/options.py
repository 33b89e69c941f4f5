"""A choice that a corpus offers: its range, its default, and what it refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.core.errors import Message, PlaygroundError


@dataclass(frozen=True)
class Option:
    """One choice, either a whole number in a range or one of a few words.

    Args:
        name: the key in ``DataSpec.options``.
        title: what a page writes beside the control.
        default: the value when nothing is chosen.
        minimum, maximum: the range of a number, both included; None for a choice of words.
        choices: the words to choose from; empty for a number.
    """

    name: str
    title: str
    default: int | str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> int | str:
        """The value, when it is allowed.

        Raises:
            PlaygroundError: naming the option and what it may be.
        """
        if self.choices:
            if value not in self.choices:
                raise PlaygroundError(
                    "{name} cannot be {value!r}.",
                    "Choose one of {known}.",
                    name=self.name,
                    value=value,
                    known=", ".join(self.choices),
                )
            return value
        low, high = self.minimum or 0, self.maximum or 0
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise PlaygroundError(
                "{name} cannot be {value!r}.",
                "Choose a whole number from {minimum} to {maximum}.",
                name=self.name,
                value=value,
                minimum=self.minimum,
                maximum=self.maximum,
            )
        return value


def fill(options: Sequence[Option], given: Mapping[str, Any], owner: str) -> dict[str, int | str]:
    """Every option of ``owner`` with its value, the defaults filled in.

    Raises:
        PlaygroundError: for an option that ``owner`` does not have, or a value out of range.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise PlaygroundError(
                "{owner} has no option {name!r}.",
                Message("It has {known}.", known=", ".join(known)) if known else "It has no options.",
                owner=owner,
                name=name,
            )
    return {name: option.check(given.get(name, option.default)) for name, option in known.items()}
