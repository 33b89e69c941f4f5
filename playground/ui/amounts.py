"""Amounts as people read them: three digits and a unit."""


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


def duration(seconds: float) -> str:
    """95 → "1.6 min"."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds)} s"


def _three(value: float) -> str:
    """Three digits at most, none that says nothing."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
