"""The LSTM encoder–decoder with additive attention: two stacks of LSTMs, and between them what looks back at the source."""

from models.parameter_counts import parameter_counts
from models.spec import ModelSpec
from playground.ui.diagram.canvas import Canvas, Tip
from playground.ui.diagram.words import cell_tip, count, embedding_tip, head_tip, logits_tip, shape, tokens_tip
from playground.ui.language import t

READS, LOOKS, WRITES = 126, 370, 592  # the middles of encoder, attention and decoder
WIDTH = 728
BOX, CHIP = 200, 164


def draw_attentive(spec: ModelSpec) -> Canvas:
    """The encoder on the left, the decoder on the right; each step of it asks the annotations and gets a context."""
    canvas = Canvas(WIDTH, label=t("The architecture, from tokens to logits"))
    canvas.text(READS, 16, t("Encoder"), "side")
    canvas.text(WRITES, 16, t("Decoder"), "side")
    annotations = _encoder(canvas, spec)
    meet = _begin(canvas, WRITES, "decoder", spec) + 46  # where the context joins the token before
    _attention(canvas, spec, annotations, meet)
    _decoder(canvas, spec, meet)
    return canvas


def _begin(canvas: Canvas, x: float, side: str, spec: ModelSpec) -> float:
    """Tokens and their vectors; returns where the embedding ends."""
    length = "S" if side == "encoder" else "T"
    name = t("source tokens") if side == "encoder" else t("target tokens")
    canvas.box(x - CHIP / 2, 38, CHIP, 32, name, kind="chip", key=f"{side}tokens", tip=tokens_tip(spec, side))
    canvas.line((x, 70), (x, 96), label=f"[B, {length}]", at=(x + 12, 81))
    tip = embedding_tip(spec, side)
    words = t("one vector per token")
    canvas.box(x - BOX / 2, 96, BOX, 52, t("Embedding"), words, kind="soft", key="embedding", tip=tip, opens=True)
    return 148


def _encoder(canvas: Canvas, spec: ModelSpec) -> float:
    """Layers that read both ways; returns the height of the annotations."""
    x, y = READS, _begin(canvas, READS, "encoder", spec)
    cells, height, width = y + 52, 56, 88
    canvas.line((x, y), (x, y + 34), arrow=False, label=shape("B", "S", spec.d_model), at=(x + 12, y + 9))
    for side, words in ((-1, t("left to right")), (1, t("right to left"))):
        middle, edge = x + side * 52, x + side * (52 + width / 2)
        canvas.line((x, y + 34), (middle, y + 34), (middle, cells))
        canvas.box(
            middle - width / 2,
            cells,
            width,
            height,
            "LSTM",
            words,
            kind="strong",
            key="cell",
            tip=_cell_tip(spec),
            opens=True,
        )
        loop = edge + side * 15
        canvas.line((edge, cells + 40), (loop, cells + 40), (loop, cells + 16), (edge, cells + 16), kind="state")
        canvas.line((middle, cells + height), (middle, cells + height + 26), (x + side * 12, cells + height + 26))
    join = cells + height + 26
    canvas.plus(x, join, "‖", "join", _join_tip(spec))
    canvas.frame(
        6, y + 22, 2 * (x - 6), join + 22 - y - 22, f"× {spec.n_layers}" if spec.n_layers > 1 else "", left=True
    )
    canvas.line((x, join + 12), (x, join + 50), label=shape("B", "S", spec.d_model), at=(x + 12, join + 36))
    y = join + 50
    for i, name in enumerate(("h₁", "h₂", "…", "h")):
        left = x - BOX / 2 + 51 * i
        if name == "…":
            canvas.text(left + 23, y + 18, name, "dots")
        else:
            canvas.box(
                left,
                y,
                46,
                36,
                name if name != "h" else "hₛ",
                kind="data",
                key="annotations",
                tip=_annotation_tip(spec),
            )
    canvas.text(x, y + 52, t("annotations"), "sub")
    return y + 18


def _attention(canvas: Canvas, spec: ModelSpec, annotations: float, meet: float) -> None:
    """Between both: state and annotations in, the context out."""
    width, height = 178, 64
    left, right = LOOKS - width / 2, LOOKS + width / 2
    tip = _attention_tip(spec)
    canvas.box(
        left,
        meet - height / 2,
        width,
        height,
        t("Additive attention"),
        t("looks at the whole source"),
        kind="strong",
        key="cross",
        tip=tip,
        opens=True,
    )
    turn = left - 20
    canvas.line((READS + BOX / 2, annotations), (turn, annotations), (turn, meet), (left, meet), kind="state")
    canvas.line((right, meet), (WRITES - 12, meet), kind="flow")
    canvas.text(right + 8, meet - 13, f"cₜ  {shape('B', spec.d_model)}", "shape start")


def _decoder(canvas: Canvas, spec: ModelSpec, meet: float) -> None:
    """The token before and the context into the first LSTM; its state asks again; state and context into the output."""
    x, branch = WRITES, WRITES - BOX / 2 - 20
    canvas.line((x, 148), (x, meet - 12))
    canvas.plus(x, meet, "‖", "join", _join_tip(spec))
    y = meet + 12
    canvas.line((x, y), (x, y + 40), label=shape("B", 2 * spec.d_model), at=(x + 12, y + 18))
    y += 40
    top = y
    layers = [t("layer {n}", n=1)]
    if spec.n_layers > 1:
        layers.append(t("layer {n}", n=2) if spec.n_layers == 2 else t("layers 2 to {n}", n=spec.n_layers))
    for i, words in enumerate(layers):
        canvas.box(
            x - BOX / 2,
            y,
            BOX,
            56,
            "LSTM",
            words,
            kind="strong",
            key="cell",
            tip=_cell_tip(spec),
            opens=True,
            copies=min(spec.n_layers - 2, 2) if i else 0,
        )
        edge = x + BOX / 2
        canvas.line((edge, y + 40), (edge + 18, y + 40), (edge + 18, y + 16), (edge, y + 16), kind="state")
        y += 56
        canvas.line((x, y), (x, y + 34), label=shape("B", spec.d_model), at=(x + 12, y + 15))
        y += 34
    canvas.line((x - BOX / 2, top + 28), (LOOKS, top + 28), (LOOKS, meet + 32), kind="state")
    canvas.text(LOOKS + 12, top + 14, "sₜ₋₁  " + t("asks"), "shape start")
    canvas.plus(x, y + 12, "‖", "join", _join_tip(spec))
    canvas.line((branch, meet), (branch, y + 12), (x - 12, y + 12))
    y += 24
    canvas.line((x, y), (x, y + 18))
    canvas.box(x - 92, y + 18, 184, 34, "tanh(C [sₜ; cₜ])", kind="norm", key="combine", tip=_combine_tip(spec))
    y += 52
    canvas.line((x, y), (x, y + 28), label=shape("B", "T", spec.d_model), at=(x + 12, y + 13))
    words = t("shared with the embedding") if spec.tie_embeddings else f"{spec.d_model} → {count(spec.vocab_size)}"
    canvas.box(
        x - BOX / 2, y + 28, BOX, 52, t("Output matrix"), words, kind="soft", key="head", tip=head_tip(spec), opens=True
    )
    canvas.line((x, y + 80), (x, y + 106), label=f"[B, T, {count(spec.vocab_size)}]", at=(x + 12, y + 92))
    canvas.box(x - CHIP / 2, y + 106, CHIP, 32, t("logits"), kind="chip", key="logits", tip=logits_tip(spec))


def draw_additive_attention(spec: ModelSpec, width: float) -> Canvas:
    """The inside of the attention: a small network scores each source token, a softmax shares, the annotations mix."""
    canvas = Canvas(width, label=t("Inside attention"))
    asks, holds, d = 118, 320, spec.d_model
    middle = (asks + holds) / 2
    canvas.text(asks, 14, f"sₜ₋₁  {shape('B', d)}", "shape middle")
    canvas.text(holds, 14, f"h₁ … hₛ  {shape('B', 'S', d)}", "shape middle")
    for x, name, words, use in (
        (asks, "W", t("what the state looks for"), t("The matrix for the state before.")),
        (holds, "U", t("what each token offers"), t("The matrix for the annotations, used once per source.")),
    ):
        canvas.line((x, 24), (x, 48))
        canvas.box(x - 84, 48, 168, 48, name, words, kind="strong", key=name.lower(), tip=Tip(name, use))
        canvas.line((x, 96), (x, 122), (middle + (12 if x > middle else -12), 122))
    canvas.plus(middle, 122, "+", "add", Tip(t("Add"), t("The state, added to every source token."), "W sₜ₋₁ + U hⱼ"))
    canvas.line((middle, 134), (middle, 156), label=shape("B", "S", d), at=(middle + 10, 144))
    canvas.box(
        middle - 85,
        156,
        170,
        34,
        "tanh",
        kind="squash",
        key="bend",
        tip=Tip("tanh", t("A hidden layer between −1 and 1.")),
    )
    canvas.line((middle, 190), (middle, 212))
    score = Tip("v", t("A vector that makes one score of each token's hidden layer."), "eⱼ = v · tanh(W sₜ₋₁ + U hⱼ)")
    canvas.box(middle - 85, 212, 170, 40, t("v · (one score per token)"), kind="strong", key="v", tip=score)
    canvas.line((middle, 252), (middle, 280), label=shape("B", "S"), at=(middle + 10, 265))
    canvas.box(middle - 85, 280, 170, 32, t("mask, softmax"), kind="norm")
    canvas.line((middle, 312), (middle, 346), label=t("weights α, together 1"), at=(middle + 10, 328))
    lane = width - 14
    canvas.line((holds, 30), (lane, 30), (lane, 366), (middle + 85, 366), kind="state")
    canvas.box(
        middle - 85,
        346,
        170,
        40,
        "Σ α h",
        kind="soft",
        key="mix",
        tip=Tip(t("Context"), t("The mean of the annotations, each as heavy as its weight."), "cₜ = Σⱼ αⱼ hⱼ"),
    )
    canvas.line((middle, 386), (middle, 416), label=f"cₜ  {shape('B', d)}", at=(middle + 10, 401))
    canvas.height = 424
    return canvas


def _cell_tip(spec: ModelSpec) -> Tip:
    tip = cell_tip(spec.replace(architecture="lstm", vocab_size=0))
    facts = ((t("parameters of all LSTMs"), f"{parameter_counts(spec)['recurrent']:,}"),)
    return Tip(tip.title, tip.text, tip.formula, facts)


def _join_tip(spec: ModelSpec) -> Tip:
    return Tip(t("Side by side"), t("Two vectors become one, with the channels of both."), "[x; y]")


def _annotation_tip(spec: ModelSpec) -> Tip:
    half = spec.d_model // 2
    text = t(
        "Half of the channels have read the text from the left, half from the right: {half} + {half} = {d}.",
        half=half,
        d=spec.d_model,
    )
    return Tip(t("Annotations"), text, "hⱼ = [→hⱼ; ←hⱼ]", ((t("shape"), shape("B", "S", spec.d_model)),))


def _attention_tip(spec: ModelSpec) -> Tip:
    return Tip(
        t("Additive attention"),
        t(
            "Before each word, the decoder scores every source token with a small network, and reads their weighted mean."
        ),
        "eⱼ = v · tanh(W sₜ₋₁ + U hⱼ),  α = softmax(e),  cₜ = Σⱼ αⱼ hⱼ",
        ((t("weights"), shape("B", 1, "T", "S")), (t("parameters"), f"{parameter_counts(spec)['cross attention']:,}")),
    )


def _combine_tip(spec: ModelSpec) -> Tip:
    text = t("The state and the context together say what comes next.")
    return Tip(
        t("State and context"), text, "tanh(C [sₜ; cₜ])", ((t("shape"), f"{2 * spec.d_model} → {spec.d_model}"),)
    )
