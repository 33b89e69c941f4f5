"""Boxes of numbers that reach as far as a spec takes, so that no run, link or preset begins outside its own box."""

from collections.abc import Callable
from typing import Any, get_type_hints

import streamlit as st

from playground.runs.config import NUMBERS, TrainingSpec

TYPES = get_type_hints(TrainingSpec)
FORM = "%.6g"
"""Of numbers with a point: 0.99999 is not shown as 1.00, nor 0.001 as 0.00."""


def of_training(name: str) -> tuple[Any, Any]:
    """The least and the most that a number of a TrainingSpec can be, in its own type."""
    return tuple(map(TYPES[name], NUMBERS[name]))


def number(
    label: str, start: TrainingSpec, name: str, step: Any = None, *, key: str, most: Any = None, **more: Any
) -> Any:
    """``st.number_input`` for a number of a TrainingSpec, from the least to the most that it can be.

    Args:
        start: whose value stands there at first.
        name: of the field.
        most: a bound that is lower than the spec's, such as the size of the batch; never below what stands there.
    """
    low, high = of_training(name)
    value = TYPES[name](getattr(start, name))
    if most is not None:
        high = max(value, most)
    if TYPES[name] is float:
        more.setdefault("format", FORM)
    return st.number_input(label, low, high, value, step, key=key, **more)


def slider(label: str, low: Any, high: Any, value: Any, step: Any, *, key: str, **more: Any) -> Any:
    """``st.slider`` over the usual values, which reaches further where what stands there at first does."""
    value = type(low)(value)
    return st.slider(label, min(low, value), max(high, value), value, step, key=key, **more)


def pick(label: str, options: list, value: Any, key: str, form: str | Callable[[Any], str], **more: Any) -> Any:
    """A slider over sensible values, the one that stands there at first among them."""
    values = sorted({*options, value})
    said = form.format if isinstance(form, str) else form
    return st.select_slider(label, values, value=value, key=key, format_func=said, **more)


def within(value: float, name: str) -> float:
    """What was computed for a number of a TrainingSpec, brought within its bounds."""
    low, high = of_training(name)
    return min(high, max(low, value))


BATCHES = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256]


RATES = [m * 10.0**p for p in range(-6, 0) for m in (1, 1.5, 2, 3, 4, 6, 8)] + [1.0]
