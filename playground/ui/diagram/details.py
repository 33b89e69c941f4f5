"""The inside of a block, unfolded: what happens to the numbers, from top to bottom, with every shape."""

import math

from models.spec import ModelSpec
from playground.ui.diagram.attentive import draw_additive_attention
from playground.ui.diagram.canvas import Canvas
from playground.ui.diagram.cells import draw_cell
from playground.ui.diagram.words import count, shape
from playground.ui.language import t

WIDTH = 460
MIDDLE = WIDTH / 2


def draw_details(spec: ModelSpec) -> dict[str, Canvas]:
    """The inside of every block that opens, by its key."""
    details = {"embedding": embedding(spec), "head": head(spec)}
    if spec.architecture == "lstm-attention":
        cells = draw_cell(spec.replace(architecture="lstm"))
        return details | {"cell": cells, "cross": draw_additive_attention(spec, WIDTH)}
    if spec.is_recurrent:
        return details | {"cell": draw_cell(spec)}
    details |= {"norm": norm(spec), "mlp": mlp(spec)}
    if spec.architecture == "encoder-decoder":
        return details | {
            "encoderattention": attention(spec, causal=False, length="S"),
            "decoderattention": attention(spec, causal=True),
            "cross": attention(spec, causal=False, keys="S"),
        }
    return details | {"attention": attention(spec, causal=spec.is_causal)}


def attention(spec: ModelSpec, causal: bool, length: str = "T", keys: str = "") -> Canvas:
    """Queries, keys and values; scores, mask, softmax; the mix of values; the way back to the stream."""
    canvas = Canvas(WIDTH, label=t("Inside attention"))
    cross, keys = bool(keys), keys or length
    xs = (84, 230, 376)
    h, kv, d = spec.n_heads, spec.kv_heads, spec.head_dim
    y = 34
    canvas.text(MIDDLE if not cross else xs[0], 12, f"x  {shape('B', length, spec.d_model)}", "shape middle")
    if cross:
        canvas.text((xs[1] + xs[2]) / 2, 12, t("source") + f"  {shape('B', keys, spec.d_model)}", "shape middle")
        canvas.line((xs[0], 22), (xs[0], y + 20))
        middle = (xs[1] + xs[2]) / 2
        for x in xs[1:]:
            canvas.line((middle, 22), (middle, y + 2), (x, y + 2), (x, y + 20))
    else:
        for x in xs:
            points = (
                ((MIDDLE, 22), (MIDDLE, y + 20))
                if x == MIDDLE
                else ((MIDDLE, 22), (MIDDLE, y + 2), (x, y + 2), (x, y + 20))
            )
            canvas.line(*points)
    y += 20
    for x, name, heads in zip(xs, ("Q", "K", "V"), (h, kv, kv), strict=True):
        words = {"Q": t("queries"), "K": t("keys"), "V": t("values")}[name]
        canvas.box(x - 56, y, 112, 48, name, words, kind="strong", copies=min(heads - 1, 2))
        canvas.text(x, y + 62, shape("B", heads, length if name == "Q" else keys, d), "shape middle")
    y += 72
    for name in [t("divide by RMS (QK-norm)")] * spec.qk_norm + [t("rotate by position (RoPE)")] * (
        spec.position == "rotary" and not cross
    ):
        for x in xs[:2]:
            canvas.line((x, y), (x, y + 14))
            canvas.box(x - 70, y + 14, 140, 28, name, kind="norm small")
        y += 42
    score = y + 26
    for x, end in zip(xs[:2], (130, 184), strict=True):
        canvas.line((x, y), (x, y + 10), (end, y + 10), (end, score))
    canvas.box(72, score, 170, 44, f"Q Kᵀ / √{d}", t("similarity"), kind="soft", copies=min(h - 1, 2))
    y = score + 44
    grid = 96
    _weights(canvas, 304, score - 4, grid, spec, causal, cross)
    return _mix(canvas, spec, y, xs[2], length, keys)


def _weights(canvas: Canvas, x: float, y: float, size: float, spec: ModelSpec, causal: bool, cross: bool) -> None:
    """Who may look at whom: rows look, columns are looked at; ALiBi fades with distance."""
    n, slope = 7, 2 ** (-8 / spec.n_heads)  # the first head's

    def weight(i: int, j: int) -> float:
        if causal and j > i:
            return 0.0
        return 0.75 if spec.position != "alibi" or cross else math.exp(-slope * abs(i - j))

    canvas.cells(x, y, size, [[weight(i, j) for j in range(n)] for i in range(n)])
    words = t("causal: only earlier tokens") if causal else t("the whole source") if cross else t("all tokens")
    canvas.text(x + size / 2 - 1, y + size + 9, words, "sub middle")
    if spec.position == "alibi" and not cross:
        canvas.text(x + size / 2 - 1, y + size + 24, t("scores fall with distance"), "sub middle")


def _mix(canvas: Canvas, spec: ModelSpec, y: float, value_x: float, length: str, keys: str) -> Canvas:
    h, d = spec.n_heads, spec.head_dim
    x = 157
    canvas.line((x, y), (x, y + 32), label=shape("B", h, length, keys), at=(x + 10, y + 14))
    canvas.box(x - 85, y + 32, 170, 32, t("mask, softmax"), kind="norm")
    canvas.line((x, y + 64), (x, y + 98), label=t("weights, each row sums to 1"), at=(x + 10, y + 79))
    y += 98
    lane = WIDTH - 14
    values = y + 20
    canvas.line((value_x + 56, 78), (lane, 78), (lane, values), (x + 85, values), kind="state")
    canvas.box(x - 85, y, 170, 40, t("weights · V"), kind="soft", copies=min(h - 1, 2))
    canvas.line((x, y + 40), (x, y + 72), label=shape("B", h, length, d), at=(x + 10, y + 54))
    canvas.box(x - 85, y + 72, 170, 32, t("heads side by side") if h > 1 else t("one head"), kind="norm")
    canvas.line((x, y + 104), (x, y + 130), label=shape("B", length, spec.d_model), at=(x + 10, y + 115))
    canvas.box(x - 85, y + 130, 170, 40, t("Output projection"), kind="strong")
    canvas.line((x, y + 170), (x, y + 200), label=shape("B", length, spec.d_model), at=(x + 10, y + 185))
    canvas.height = y + 206
    if spec.zero_init:
        canvas.text(x + 96, y + 151, t("starts at zero"), "sub start")
    return canvas


ACTIVATIONS = {
    "gelu": ("GELU", lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2)))),
    "gelu_tanh": (
        "GELU",
        lambda v: v * 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))),
    ),
    "relu": ("ReLU", lambda v: max(0.0, v)),
    "relu2": ("ReLU²", lambda v: max(0.0, v) ** 2),
    "swiglu": ("SiLU", lambda v: v / (1 + math.exp(-v))),
}


def mlp(spec: ModelSpec) -> Canvas:
    """Bars as wide as the vectors have channels, the matrices between them as wedges."""
    canvas = Canvas(WIDTH, label=t("Inside the MLP"))
    name, function = ACTIVATIONS[spec.mlp]
    gated = spec.mlp == "swiglu"
    wide = min(420, 420 * spec.mlp_width / max(spec.mlp_width, spec.d_model) / (2.1 if gated else 1))
    slim = max(24, min(420, 420 * spec.d_model / max(spec.mlp_width, spec.d_model)))
    channels = t("{n} channels", n=spec.d_model)
    canvas.text(MIDDLE, 12, f"x  {shape('B', 'T', spec.d_model)}", "shape middle")
    _bar(canvas, MIDDLE, 26, slim)
    centres = (MIDDLE - 112, MIDDLE + 112) if gated else (MIDDLE,)
    for centre, label in zip(centres, (("W gate", "W up") if gated else ("W₁",)), strict=True):
        canvas.wedge(46, _span(MIDDLE, slim), 118, _span(centre, wide))
        canvas.text((centre + MIDDLE) / 2 if gated else MIDDLE, 84, label, "name middle")
        _bar(canvas, centre, 118, wide)
        canvas.text(centre, 154, shape("B", "T", spec.mlp_width), "shape middle")
    canvas.line((centres[0], 168), (centres[0], 190))
    canvas.box(centres[0] - 62, 190, 124, 96, "", kind="norm")
    canvas.text(centres[0], 205, name, "name middle")
    canvas.curve(centres[0] - 44, 214, 88, 62, function, 2.6)
    y = 286
    if gated:
        canvas.line((centres[0], y), (centres[0], y + 26), (MIDDLE - 12, y + 26))
        canvas.line((centres[1], 168), (centres[1], y + 26), (MIDDLE + 12, y + 26))
        canvas.plus(MIDDLE, y + 26, "×")
        y += 38
    canvas.line((MIDDLE, y), (MIDDLE, y + 24))
    _bar(canvas, MIDDLE, y + 24, wide)
    canvas.wedge(y + 44, _span(MIDDLE, wide), y + 104, _span(MIDDLE, slim))
    canvas.text(MIDDLE, y + 74, "W₂" if not gated else "W down", "name middle")
    if spec.zero_init:
        canvas.text(MIDDLE, y + 92, t("starts at zero"), "sub middle")
    _bar(canvas, MIDDLE, y + 104, slim)
    canvas.text(MIDDLE, y + 140, f"{shape('B', 'T', spec.d_model)}  ·  {channels}", "shape middle")
    return canvas


def _bar(canvas: Canvas, centre: float, y: float, width: float) -> None:
    canvas.bar(centre - width / 2, y, width, 20, "strong")


def _span(centre: float, width: float) -> tuple[float, float]:
    return centre - width / 2, centre + width / 2


def norm(spec: ModelSpec) -> Canvas:
    """A vector before and after: the same shape, another size."""
    canvas = Canvas(WIDTH, label=t("Inside the norm"))
    rms = spec.norm == "rmsnorm"
    before = [0.15, 0.9, -0.4, 1.6, 0.5, -1.1, 0.75, 1.3, -0.2, 0.6]
    mean = 0 if rms else sum(before) / len(before)
    size = math.sqrt(sum((v - mean) ** 2 for v in before) / len(before))
    canvas.text(MIDDLE, 12, t("an example, before"), "sub middle")
    _columns(canvas, 70, before)
    canvas.line((MIDDLE, 122), (MIDDLE, 150))
    canvas.box(
        MIDDLE - 190,
        150,
        380,
        50,
        "x / √(mean(x²) + ε)" if rms else "(x − mean) / √(variance + ε)",
        f"ε = {spec.norm_eps:g}",
        kind="norm",
    )
    canvas.line((MIDDLE, 200), (MIDDLE, 226))
    _columns(canvas, 274, [(v - mean) / size for v in before])
    canvas.text(
        MIDDLE,
        334,
        t("every token's vector now has the same RMS") if rms else t("mean 0, variance 1, for every token"),
        "sub middle",
    )
    canvas.line((MIDDLE, 346), (MIDDLE, 368))
    scaled = (
        t("× g, one learned weight per channel")
        if rms or not spec.bias
        else t("× g + b, two learned weights per channel")
    )
    canvas.box(MIDDLE - 190, 368, 380, 36, scaled, kind="soft")
    canvas.line((MIDDLE, 404), (MIDDLE, 430), label=shape("B", "T", spec.d_model), at=(MIDDLE + 10, 417))
    return canvas


def _columns(canvas: Canvas, zero: float, values: list[float]) -> None:
    """Values as columns above and below a line."""
    for i, value in enumerate(values):
        height = abs(value) * 26
        canvas.bar(MIDDLE - 150 + 31 * i, zero - (height if value > 0 else 0), 20, height, "strong")
    canvas.line((MIDDLE - 164, zero), (MIDDLE + 164, zero), kind="quiet", arrow=False)


def embedding(spec: ModelSpec) -> Canvas:
    """A row of the token table, and what is added to it."""
    canvas = Canvas(WIDTH, label=t("Inside the embedding"))
    added = {"learned": t("position table"), "sinusoidal": t("sine waves")}.get(
        "" if spec.is_recurrent else spec.position
    )
    x = 122 if added else MIDDLE
    canvas.text(x, 12, t("token table"), "name middle")
    _table(canvas, x, 28, 5)
    canvas.text(x, 158, shape(count(spec.vocab_size), spec.d_model), "shape middle")
    y = 216
    if added:
        canvas.text(338, 12, added, "name middle")
        sinusoidal = spec.position == "sinusoidal"
        if sinusoidal:
            canvas.cells(278, 28, 120, _waves(spec.d_model))
        else:
            _table(canvas, 338, 28, 2)
        canvas.text(338, 158, shape(spec.context_length, spec.d_model), "shape middle")
        canvas.line((x, 168), (x, y), (MIDDLE - 12, y))
        if sinusoidal:
            canvas.text(x + 10, 192, f"× √{spec.d_model}", "shape start")
        canvas.line((338, 168), (338, y), (MIDDLE + 12, y))
        canvas.plus(MIDDLE, y)
        y += 12
    else:
        canvas.line((x, 168), (x, 200), arrow=False)
        y = 200
    for name in [f"{'RMSNorm' if spec.norm == 'rmsnorm' else 'LayerNorm'}"] * spec.embedding_norm + [
        f"dropout {spec.dropout:g}"
    ] * bool(spec.dropout):
        canvas.line((MIDDLE, y), (MIDDLE, y + 24))
        canvas.box(MIDDLE - 90, y + 24, 180, 32, name, kind="norm")
        y += 56
    canvas.line((MIDDLE, y), (MIDDLE, y + 36), label=shape("B", "T", spec.d_model), at=(MIDDLE + 10, y + 16))
    return canvas


def _table(canvas: Canvas, x: float, y: float, chosen: int) -> None:
    """Ten rows, one of them looked up."""
    canvas.cells(x - 60, y, 120, [[(0.95 if i == chosen else 0.16)] * 10 for i in range(10)])


def _waves(d_model: int) -> list[list[float]]:
    """The first ten places of ten channels spread over all: the true table, from 0 for −1 to 1 for +1."""
    table = []
    for place in range(10):
        channels = [round(n * (d_model - 1) / 9) for n in range(10)]
        angles = [place / 10_000 ** (2 * (c // 2) / d_model) for c in channels]
        table.append(
            [0.5 + 0.5 * (math.cos(a) if c % 2 else math.sin(a)) for a, c in zip(angles, channels, strict=True)]
        )
    return table


def head(spec: ModelSpec) -> Canvas:
    """From the last vector to a probability for every token."""
    canvas = Canvas(WIDTH, label=t("Inside the output"))
    y = 22
    canvas.text(MIDDLE, 12, f"x  {shape('B', 'T', spec.d_model)}", "shape middle")
    if spec.head_transform:
        for name in (
            f"{spec.d_model} × {spec.d_model}",
            ACTIVATIONS[spec.head_activation][0],
            "RMSNorm" if spec.norm == "rmsnorm" else "LayerNorm",
        ):
            canvas.line((MIDDLE, y), (MIDDLE, y + 22))
            canvas.box(MIDDLE - 100, y + 22, 200, 32, name, kind="norm")
            y += 54
    canvas.line((MIDDLE, y), (MIDDLE, y + 26))
    tied = t("the token table, transposed") if spec.tie_embeddings else t("a matrix of its own")
    canvas.box(MIDDLE - 150, y + 26, 300, 54, f"{spec.d_model} → {count(spec.vocab_size)}", tied, kind="strong")
    y += 80
    if spec.logit_softcap:
        canvas.line((MIDDLE, y), (MIDDLE, y + 24))
        cap = spec.logit_softcap
        canvas.box(MIDDLE - 150, y + 24, 300, 84, "", kind="norm")
        canvas.text(MIDDLE - 60, y + 66, f"{cap:g} · tanh(x / {cap:g})", "name middle")
        canvas.curve(MIDDLE + 32, y + 32, 100, 68, lambda v: 1.3 * math.tanh(v), 3)
        y += 108
    canvas.line((MIDDLE, y), (MIDDLE, y + 34), label=shape("B", "T", count(spec.vocab_size)), at=(MIDDLE + 10, y + 15))
    canvas.box(MIDDLE - 100, y + 34, 200, 36, t("softmax"), kind="norm")
    canvas.line((MIDDLE, y + 70), (MIDDLE, y + 96))
    canvas.text(MIDDLE, y + 108, t("a probability for every token"), "sub middle")
    return canvas
