"""RNN, LSTM and GRU unrolled over three steps: the same cells again and again, their state handed to the right."""

from models.spec import ModelSpec
from playground.ui.diagram.canvas import Canvas
from playground.ui.diagram.words import cell_tip, count, embedding_tip, head_tip, logits_tip, tokens_tip
from playground.ui.language import t

STEPS = ("xₜ₋₁", "xₜ", "xₜ₊₁")
PITCH, CELL = 164, 104  # from step to step; width of a cell
LEFT = 110  # where the first step begins; before it stands the state at the start
SHOWN = 3  # layers drawn; more are hinted at


def draw_recurrent(spec: ModelSpec) -> Canvas:
    """Steps from left to right, layers from top to bottom."""
    canvas = Canvas(LEFT + 74 + 2 * PITCH + CELL, label=t("The architecture, unrolled over three steps"))
    xs = [LEFT + CELL / 2 + PITCH * i for i in range(3)]
    y = _inputs(canvas, spec, xs)
    top, first = y, True
    for layer in _layers(spec):
        if layer is None:
            for x in xs:
                canvas.text(x, y + 12, "⋮", "dots")
            y += 30
            continue
        rows = _both_ways if spec.bidirectional else _one_way
        y = rows(canvas, spec, xs, y, layer, first)
        first = False
    canvas.frame(LEFT - 34, top + 8, canvas.width - LEFT + 4, y - top + 4)
    canvas.text(
        LEFT - 20, top + 27, t("{n} layers", n=spec.n_layers) if spec.n_layers > 1 else t("1 layer"), "badge start"
    )
    _outputs(canvas, spec, xs, y)
    return canvas


def _layers(spec: ModelSpec) -> list[int | None]:
    """The layers drawn; None stands for those left out."""
    n = spec.n_layers
    return list(range(n)) if n <= SHOWN else [0, 1, None, n - 1]


def _inputs(canvas: Canvas, spec: ModelSpec, xs: list[float]) -> float:
    for x, step in zip(xs, STEPS, strict=True):
        canvas.box(x - 46, 4, 92, 30, step, kind="chip", key="tokens", tip=tokens_tip(spec))
        canvas.line((x, 34), (x, 58), label="[B]" if x == xs[-1] else "", at=(x + 11, 45))
        canvas.box(
            x - 64,
            58,
            128,
            36,
            t("Embedding"),
            kind="soft",
            key="embedding",
            tip=embedding_tip(spec),
            opens=True,
        )
    return 94


def _one_way(canvas: Canvas, spec: ModelSpec, xs: list[float], y: float, layer: int, first: bool) -> float:
    """A row of cells; each takes the layer above and the step before."""
    gap, height = (52 if first else 36), 60
    below = y + gap
    for i, x in enumerate(xs):
        label = f"[B, {spec.d_model}]" if i == 2 else ""
        canvas.line((x, y), (x, below), label=label, at=(x + 11, y + gap / 2 - 1 + (8 if first else 0)))
        _cell(canvas, spec, x, below, height, t("layer {n}", n=layer + 1))
        _states(
            canvas,
            spec,
            x - CELL / 2 - (PITCH - CELL if i else 42),
            x - CELL / 2,
            below,
            height,
            i == 0,
            i == 1 and first,
        )
    _states(canvas, spec, xs[-1] + CELL / 2, canvas.width - 8, below, height, False, False)
    return below + height


def _cell(canvas: Canvas, spec: ModelSpec, x: float, y: float, height: float, sub: str, width: float = CELL) -> None:
    canvas.box(
        x - width / 2,
        y,
        width,
        height,
        spec.architecture.upper(),
        sub,
        kind="strong",
        key="cell",
        tip=cell_tip(spec),
        opens=True,
    )


def _states(
    canvas: Canvas,
    spec: ModelSpec,
    start: float,
    end: float,
    y: float,
    height: float,
    zero: bool,
    named: bool,
) -> None:
    """The lines that carry the state: h, and the LSTM's cell c above it."""
    lanes = {"cell": 0.3, "state": 0.72} if spec.architecture == "lstm" else {"state": 0.5}
    for kind, share in lanes.items():
        level = y + height * share
        canvas.line((start, level), (end, level), kind=kind)
        name = "c" if kind == "cell" else "h"
        if zero:
            canvas.text(start - 4, level, f"{name}₀ = 0", "shape end small")
        elif named:
            canvas.text((start + end) / 2 - 3, level - 10, name, "shape middle")


def _both_ways(canvas: Canvas, spec: ModelSpec, xs: list[float], y: float, layer: int, first: bool) -> float:
    """Two rows of cells, one reading to the right and one to the left; their states side by side go on."""
    gap, height, between = (52 if first else 40), 44, 34
    upper = y + gap
    lower = upper + height + between
    join = lower + height + 26
    for i, x in enumerate(xs):
        aside, away = x - CELL / 2 - 14, x + CELL / 2 + 14
        label = f"[B, {spec.d_model}]" if i == 2 else ""
        canvas.line((x, y), (x, upper), label=label, at=(x + 11, y + gap / 2 + (7 if first else 0)))
        canvas.line((x, upper - 14), (aside, upper - 14), (aside, lower - 14), (x - 26, lower - 14), (x - 26, lower))
        _cell(canvas, spec, x, upper, height, "")
        _cell(canvas, spec, x, lower, height, "")
        canvas.line(
            (x + 26, upper + height),
            (x + 26, upper + height + 12),
            (away, upper + height + 12),
            (away, join),
            (x + 12, join),
            kind="flow",
        )
        canvas.line((x, lower + height), (x, join - 12))
        canvas.plus(x, join, "‖", "join", _join_tip(spec))
        if i:
            _way(canvas, xs[i - 1] + CELL / 2, x - CELL / 2, upper + height / 2, "→", i == 1)
            _way(canvas, x - CELL / 2, xs[i - 1] + CELL / 2, lower + height / 2, "←", i == 1)
    return join + 12


def _way(canvas: Canvas, start: float, end: float, y: float, name: str, named: bool) -> None:
    canvas.line((start, y), (end, y), kind="state")
    if named:
        canvas.text((start + end) / 2, y - 11, f"h{name}", "shape middle")


def _join_tip(spec: ModelSpec):
    from playground.ui.diagram.canvas import Tip

    return Tip(
        t("Both directions, side by side"),
        t(
            "Half of the channels have read the text from the left, half from the right: {half} + {half} = {d}.",
            half=spec.d_model // 2,
            d=spec.d_model,
        ),
    )


def _outputs(canvas: Canvas, spec: ModelSpec, xs: list[float], y: float) -> None:
    head = y + 48
    for x in xs:
        canvas.line((x, y), (x, head), label=f"[B, {spec.d_model}]" if x == xs[-1] else "", at=(x + 11, y + 32))
        canvas.box(x - 60, head, 120, 36, t("Output"), kind="soft", key="head", tip=head_tip(spec), opens=True)
        label = f"[B, {count(spec.vocab_size)}]" if x == xs[-1] else ""
        canvas.line((x, head + 36), (x, head + 62), label=label, at=(x + 11, head + 48))
        canvas.box(x - 46, head + 62, 92, 30, t("logits"), kind="chip", key="logits", tip=logits_tip(spec))
