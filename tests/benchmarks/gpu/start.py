"""From the request to the first loss on the GPU: with nothing running yet, and with the warm process that the app keeps."""

import statistics
from collections.abc import Iterator

from playground.runs.submit import retire
from tests.benchmarks.gpu.rows import Row, Setting, attempt, skipped
from tests.benchmarks.start import first_loss, gone

WARM, REPEATS, SECONDS = 1.5, 3, 6
PATIENCE = 25  # seconds
PRESETS = ("gpt2-tiny", "lstm-tiny", "modern-tiny", "llama-small")


def measure(setting: Setting) -> Iterator[Row]:
    yield from attempt("request → first loss, the very first", cold, setting, "the very first (text and caches)")
    retire()
    gone()
    yield from attempt("request → first loss, nothing running", cold, setting, "nothing running")
    for preset in PRESETS[: 1 if setting.rehearsal else None]:
        what = f"request → first loss, warm, {preset}"
        if setting.left() < SECONDS:
            yield skipped(what, "no time was left")
            continue
        yield from attempt(what, warm, setting, what, preset, goal=f"median < {WARM} s")


def cold(setting: Setting, how: str) -> Row:
    taken = first_loss(PRESETS[0], setting.device, PATIENCE)
    return Row(f"request → first loss, {how}", f"{taken:.2f} s", figures={"seconds": taken})


def warm(setting: Setting, what: str, preset: str) -> Row:
    taken = [first_loss(preset, setting.device, PATIENCE) for _ in range(1 if setting.rehearsal else REPEATS)]
    middle = statistics.median(taken)
    told = f"{middle:.2f} s (worst of {len(taken)}: {max(taken):.2f} s)"
    return Row(what, told, f"median < {WARM} s", setting.goal(middle < WARM), figures={"seconds": taken})
