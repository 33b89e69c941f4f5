"""The transformers: layers of attention and MLP, each added to the residual stream that runs from top to bottom."""

from models.spec import ModelSpec
from playground.ui.diagram.canvas import Canvas, Tip
from playground.ui.diagram.words import (
    attention_tip,
    count,
    embedding_tip,
    head_tip,
    logits_tip,
    mlp_tip,
    norm_name,
    norm_tip,
    plus_tip,
    tokens_tip,
)
from playground.ui.language import t

COLUMN = 400  # width of one stack
WIDE, NARROW, CHIP = 256, 200, 190  # widths of a block, of a norm, of what goes in and out


def draw_transformer(spec: ModelSpec) -> Canvas:
    """A decoder or encoder as one column; an encoder–decoder as two, the source's vectors crossing over."""
    if spec.architecture != "encoder-decoder":
        canvas = Canvas(COLUMN, label=t("The architecture, from tokens to logits"))
        _stack(canvas, spec, 0, "")
        return canvas
    canvas = Canvas(2 * COLUMN + 20, label=t("The architecture, from tokens to logits"))
    canvas.text(COLUMN / 2, 16, t("Encoder"), "side")
    canvas.text(COLUMN / 2 + COLUMN + 20, 16, t("Decoder"), "side")
    memory = _stack(canvas, spec, 0, "encoder", y=38)
    _stack(canvas, spec, COLUMN + 20, "decoder", y=38, memory=memory)
    return canvas


class _Pen:
    """Draws downwards along the middle of a column."""

    def __init__(self, canvas: Canvas, x: float, y: float, flip: bool):
        self.canvas, self.x, self.y = canvas, x + COLUMN / 2, y
        self.edge = x + COLUMN - 30 if flip else x + 30  # where the residual line runs
        self.label_side = -1 if flip else 1

    def down(self, gap: float, label: str = "", arrow: bool = True, kind: str = "flow") -> None:
        """The residual stream goes on for ``gap`` pixels; a shape beside it."""
        at = (self.x + 12, self.y + gap / 2 - 2)
        self.canvas.line((self.x, self.y), (self.x, self.y + gap), kind=kind, arrow=arrow, label=label, at=at)
        self.y += gap

    def box(self, width: float, height: float, title: str, sub: str = "", **look) -> None:
        """A block in the middle of the column."""
        self.canvas.box(self.x - width / 2, self.y, width, height, title, sub, **look)
        self.y += height


def _stack(
    canvas: Canvas,
    spec: ModelSpec,
    x: float,
    side: str,
    y: float = 4,
    memory: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """One column from tokens to its end; returns where the encoder's vectors leave it."""
    pen = _Pen(canvas, x, y, flip=side == "decoder")
    stream = f"[B, {'S' if side == 'encoder' else 'T'}, {spec.d_model}]"
    tokens = stream.rsplit(",", 1)[0] + "]"
    names = {"encoder": t("source tokens"), "decoder": t("target tokens")}
    pen.box(CHIP, 32, names.get(side, t("tokens")), kind="chip", tip=tokens_tip(spec, side), key=f"{side}tokens")
    pen.down(26, tokens)
    pen.box(
        WIDE,
        52,
        t("Embedding"),
        _embedding_words(spec),
        kind="soft",
        tip=embedding_tip(spec, side),
        key="embedding",
        opens=True,
    )
    pen.down(18)
    top = pen.y
    pen.down(20, stream, arrow=False)
    _sublayer(pen, spec, "attention", side)
    pen.down(14, arrow=False)
    if memory is not None:
        _sublayer(pen, spec, "cross", side, memory)
        pen.down(14, arrow=False)
    _sublayer(pen, spec, "mlp", side)
    pen.down(14, arrow=False)
    canvas.frame(x + 8, top, COLUMN - 16, pen.y - top, f"× {spec.n_layers}", left=side == "decoder")
    pre = spec.norm_position == "pre"
    pen.down(26 if pre or side != "encoder" else 20, stream, arrow=pre or side != "encoder")
    if pre:
        pen.box(
            NARROW,
            34,
            norm_name(spec),
            kind="norm",
            tip=norm_tip(spec, t("Final norm")),
            key="norm",
            opens=True,
        )
    if side == "encoder":
        if pre:
            pen.down(16, arrow=False)
        return pen.x, pen.y
    if pre:
        pen.down(17)
    pen.box(
        WIDE,
        52,
        t("Output matrix"),
        _head_words(spec),
        kind="soft",
        tip=head_tip(spec),
        key="head",
        opens=True,
    )
    pen.down(26, f"[B, T, {count(spec.vocab_size)}]")
    pen.box(CHIP, 32, t("logits"), kind="chip", tip=logits_tip(spec), key="logits")
    return pen.x, pen.y


def _sublayer(pen: _Pen, spec: ModelSpec, what: str, side: str, memory: tuple[float, float] | None = None) -> None:
    """Norm, attention or MLP, plus; the residual line goes around at the column's edge."""
    canvas, start = pen.canvas, pen.y
    if spec.norm_position == "pre":
        pen.down(14)
        pen.box(NARROW, 32, norm_name(spec), kind="norm", tip=norm_tip(spec), key="norm", opens=True)
        pen.down(16)
    else:
        pen.down(18)
    if what == "mlp":
        pen.box(
            WIDE,
            52,
            t("MLP"),
            f"{spec.d_model} → {spec.mlp_width} → {spec.d_model}",
            kind="soft",
            tip=mlp_tip(spec),
            key="mlp",
            opens=True,
        )
    else:
        middle = pen.y + 26
        title = t("Cross-attention") if what == "cross" else t("Attention")
        key = what if what == "cross" else f"{side}attention" if side else "attention"
        pen.box(
            WIDE,
            52,
            title,
            _heads_words(spec, what, side),
            kind="strong",
            tip=attention_tip(spec, what, side),
            key=key,
            opens=True,
        )
        if memory is not None:
            _cross_over(canvas, memory, pen.x - WIDE / 2, middle, spec)
    pen.down(13, arrow=False)
    plus = pen.y + 12
    canvas.line(
        (pen.x, start),
        (pen.edge, start),
        (pen.edge, plus),
        (pen.x + (12 if pen.edge > pen.x else -12), plus),
        kind="residual",
    )
    canvas.plus(pen.x, plus, tip=plus_tip(), key="residual")
    pen.y = plus + 12
    if spec.norm_position == "post":
        pen.down(16)
        pen.box(NARROW, 32, norm_name(spec), kind="norm", tip=norm_tip(spec), key="norm", opens=True)


def _cross_over(canvas: Canvas, memory: tuple[float, float], x: float, y: float, spec: ModelSpec) -> None:
    """The encoder's vectors, from the foot of its column to the decoder's cross-attention."""
    turn = COLUMN + 14
    canvas.line(memory, (memory[0], memory[1] + 18), (turn, memory[1] + 18), (turn, y), (x, y), kind="state")
    canvas.text(memory[0] + 14, memory[1] + 33, t("input to every decoder layer"), "sub start")


def _embedding_words(spec: ModelSpec) -> str:
    added = {"learned": t("token + learned position"), "sinusoidal": t("token + sine waves")}
    return added.get(spec.position, t("one vector per token"))


def _heads_words(spec: ModelSpec, what: str, side: str) -> str:
    heads = t("{n} heads", n=spec.n_heads) if spec.n_heads > 1 else t("1 head")
    sees = t("attends to the source") if what == "cross" else t("causal") if _causal(spec, side) else t("bidirectional")
    return f"{heads} · {sees}"


def _head_words(spec: ModelSpec) -> str:
    return t("shared with the embedding") if spec.tie_embeddings else f"{spec.d_model} → {count(spec.vocab_size)}"


def _causal(spec: ModelSpec, side: str) -> bool:
    return spec.architecture == "decoder" or side == "decoder"


__all__ = ["Tip", "draw_transformer"]
