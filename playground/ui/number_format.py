"""Amounts as people read them: three digits and a unit."""

from playground.ui.language import t


def large(n: float) -> str:
    """12 345 678 → "12.3 M"."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(n) >= size:
            return _three(n / size) + unit
    return f"{n:.0f}"


def bytes_of(n: float) -> str:
    """12 345 678 → "12.3 MB"."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(n) >= size:
            return f"{_three(n / size)} {unit}"
    return f"{n:.0f} B"


def share(part: float) -> str:
    """0.123 → "12%". Never nothing where there is something, nor all where some is left: "< 1%", "> 99%"."""
    if 0 < part < 0.005:
        return "< 1%"
    return "> 99%" if 0.995 <= part < 1 else f"{part:.0%}"


def duration(seconds: float) -> str:
    """95 → "1.6 min", in the person's language."""
    units = ((86_400, t("{n} d")), (3600, t("{n} h")), (60, t("{n} min")), (1, t("{n} s")))
    size, said = next((each for each in units if seconds >= each[0]), units[-1])
    return said.format(n=f"{seconds / size:.{0 if seconds >= 10 * size else 1}f}")


def _three(value: float) -> str:
    """Three digits at most, none that says nothing."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
