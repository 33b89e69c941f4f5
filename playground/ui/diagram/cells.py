"""The inside of a recurrent cell: its gates as boxes, what they multiply as circles."""

from models.spec import ModelSpec
from playground.ui.diagram.canvas import Canvas, Tip
from playground.ui.language import t

WIDTH = 460


def draw_cell(spec: ModelSpec) -> Canvas:
    """One step of one layer: the state enters on the left, the token below, the new state leaves on the right."""
    draw = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}[spec.architecture]
    canvas = Canvas(WIDTH, label=t("Inside the cell"))
    draw(canvas, spec)
    return canvas


def _size(spec: ModelSpec) -> str:
    return f"[B, {spec.d_model // (2 if spec.bidirectional else 1)}]"


def _leaves(canvas: Canvas, x: float, spec: ModelSpec) -> None:
    """Where the state goes, beside the line that leaves the cell downwards."""
    canvas.text(x, 306, t("to the next layer") if spec.n_layers > 1 else t("output"), "sub end")
    canvas.text(x, 324, _size(spec), "shape end")


def _gate(canvas: Canvas, x: float, y: float, sign: str, key: str, tip: Tip, kind: str = "gate") -> None:
    canvas.box(x - 30, y, 60, 38, sign, kind=kind, key=key, tip=tip)


def _equations(canvas: Canvas, y: float, rows: list[tuple[str, str]]) -> None:
    """One equation a line, its name on the left."""
    for i, (name, formula) in enumerate(rows):
        canvas.text(20, y + 27 * i, name, "sub start")
        canvas.text(136, y + 27 * i, formula, "formula start")


def _rnn(canvas: Canvas, spec: ModelSpec) -> None:
    bend = "ReLU" if spec.nonlinearity == "relu" else "tanh"
    canvas.frame(58, 30, 344, 190)
    canvas.text(8, 122, "hₜ₋₁", "name start")
    canvas.line((44, 122), (188, 122), kind="state")
    canvas.box(100, 104, 44, 36, "U", kind="strong", key="u", tip=Tip("U", t("The matrix for the state before.")))
    canvas.box(178, 166, 44, 36, "W", kind="strong", key="w", tip=Tip("W", t("The matrix for what comes in.")))
    canvas.line((200, 252), (200, 202))
    canvas.line((200, 166), (200, 134))
    canvas.plus(200, 122)
    canvas.line((212, 122), (258, 122))
    canvas.box(
        258,
        100,
        72,
        44,
        bend,
        kind="squash",
        key="bend",
        tip=Tip(bend, t("Keeps the state in bounds.") if bend == "tanh" else t("Negative values become 0.")),
    )
    canvas.line((330, 122), (422, 122), kind="state")
    canvas.text(452, 122, "hₜ", "name end")
    canvas.line((366, 122), (366, 252), kind="flow")
    canvas.text(356, 234, t("to the next layer") if spec.n_layers > 1 else t("output"), "sub end")
    canvas.text(356, 252, _size(spec), "shape end")
    canvas.text(190, 250, f"xₜ  [B, {spec.d_model}]", "shape end")
    f = "max(0, · )" if bend == "ReLU" else "tanh"
    body = "W xₜ + U hₜ₋₁" + (" + b" if spec.bias else "")
    _equations(canvas, 296, [(t("new state"), f"hₜ = {f}({body})" if bend == "tanh" else f"hₜ = max(0, {body})")])


def _lstm(canvas: Canvas, spec: ModelSpec) -> None:
    """After the well-known drawing: the cell runs along the top, the gates below reach into it."""
    cell, joint, row, low = 66, 132, 176, 262
    canvas.frame(52, 30, 356, 256)
    canvas.text(6, cell, "cₜ₋₁", "name start")
    canvas.line((42, cell), (418, cell), kind="cell")
    canvas.text(456, cell, "cₜ", "name end")
    canvas.text(6, low, "hₜ₋₁", "name start")
    xs = {"f": 98, "i": 170, "g": 242, "o": 314}
    canvas.line((42, low), (xs["o"], low), (xs["o"], row + 38), kind="state")
    for name in "fig":
        canvas.line((xs[name] - 14, low), (xs[name], low), (xs[name], row + 38), kind="state")
    canvas.line((72, 330), (72, low), (86, low), arrow=False)
    canvas.text(84, 318, f"xₜ  [B, {spec.d_model}]", "shape start")
    tips = {
        "f": Tip(
            t("Forget gate"),
            t("How much of each cell channel is kept: 0 forgets, 1 keeps."),
            "f = σ(W_f xₜ + U_f hₜ₋₁ + b_f)",
        ),
        "i": Tip(
            t("Input gate"),
            t("How much of the candidate is written into the cell."),
            "i = σ(W_i xₜ + U_i hₜ₋₁ + b_i)",
        ),
        "g": Tip(
            t("Candidate"),
            t("What could be written into the cell, between −1 and 1."),
            "g = tanh(W_g xₜ + U_g hₜ₋₁ + b_g)",
        ),
        "o": Tip(
            t("Output gate"),
            t("How much of the cell is shown as the state."),
            "o = σ(W_o xₜ + U_o hₜ₋₁ + b_o)",
        ),
    }
    for name, x in xs.items():
        _gate(
            canvas,
            x,
            row,
            "tanh" if name == "g" else "σ",
            name,
            tips[name],
            "squash" if name == "g" else "gate",
        )
        canvas.text(x + 9, row - 12, name, "shape start")
    canvas.line((xs["f"], row), (xs["f"], cell + 12))
    canvas.plus(
        xs["f"],
        cell,
        "×",
        "keep",
        Tip(t("Forget"), t("The old cell, channel by channel, times the forget gate."), "f ⊙ cₜ₋₁"),
    )
    canvas.line((xs["i"], row), (xs["i"], joint), (194, joint))
    canvas.line((xs["g"], row), (xs["g"], joint), (218, joint))
    canvas.plus(
        206,
        joint,
        "×",
        "write",
        Tip(t("Write in"), t("The candidate, as far as the input gate lets it in."), "i ⊙ g"),
    )
    canvas.line((206, joint - 12), (206, cell + 12))
    canvas.plus(
        206,
        cell,
        "+",
        "add",
        Tip(
            t("Add"),
            t("The new cell: what is kept plus what is written. Gradients pass here unhindered."),
            "cₜ = f ⊙ cₜ₋₁ + i ⊙ g",
        ),
    )
    canvas.line((362, cell), (362, 98), arrow=False)
    canvas.box(
        336,
        96,
        52,
        30,
        "tanh",
        kind="squash small",
        key="show",
        tip=Tip("tanh", t("Brings the cell between −1 and 1 before it is shown.")),
    )
    canvas.line((362, 126), (362, 183))
    canvas.line((xs["o"] + 30, row + 19), (350, row + 19))
    canvas.plus(
        362,
        row + 19,
        "×",
        "out",
        Tip(t("Show"), t("The new state: what the output gate lets out of the cell."), "hₜ = o ⊙ tanh(cₜ)"),
    )
    canvas.line((362, row + 31), (362, low), (418, low), kind="state")
    canvas.text(456, low, "hₜ", "name end")
    canvas.line((362, low), (362, 330), kind="flow")
    _leaves(canvas, 352, spec)
    b = " + b" if spec.bias else ""
    _equations(
        canvas,
        364,
        [
            (t("forget gate"), f"f = σ(W xₜ + U hₜ₋₁{b})"),
            (t("input gate"), f"i = σ(W xₜ + U hₜ₋₁{b})"),
            (t("candidate"), f"g = tanh(W xₜ + U hₜ₋₁{b})"),
            (t("output gate"), f"o = σ(W xₜ + U hₜ₋₁{b})"),
            (t("new cell"), "cₜ = f ⊙ cₜ₋₁ + i ⊙ g"),
            (t("new state"), "hₜ = o ⊙ tanh(cₜ)"),
        ],
    )


def _gru(canvas: Canvas, spec: ModelSpec) -> None:
    """The state runs along the top; reset lets some of it into the candidate, update blends old and new."""
    top, row, low = 66, 176, 262
    canvas.frame(52, 30, 356, 256)
    canvas.text(6, top, "hₜ₋₁", "name start")
    canvas.line((42, top), (418, top), kind="state")
    canvas.text(456, top, "hₜ", "name end")
    xs = {"r": 118, "z": 214, "n": 310}
    canvas.line((72, 330), (72, low), (xs["n"], low), (xs["n"], row + 38))
    canvas.text(84, 318, f"xₜ  [B, {spec.d_model}]", "shape start")
    canvas.line((72, top), (72, 234), (xs["z"] - 12, 234), (xs["z"] - 12, row + 38), kind="state")
    canvas.line((xs["r"] - 26, 234), (xs["r"] - 12, 234), (xs["r"] - 12, row + 38), kind="state")
    for name in "rz":
        canvas.line((xs[name] - 2, low), (xs[name] + 12, low), (xs[name] + 12, row + 38))
    tips = {
        "r": Tip(
            t("Reset gate"),
            t("How much of the old state the candidate may see."),
            "r = σ(W_r xₜ + U_r hₜ₋₁ + b_r)",
        ),
        "z": Tip(
            t("Update gate"),
            t("How much of the old state stays: 1 keeps it, 0 takes the candidate."),
            "z = σ(W_z xₜ + U_z hₜ₋₁ + b_z)",
        ),
        "n": Tip(
            t("Candidate"),
            t("What the state could become, between −1 and 1."),
            "n = tanh(W_n xₜ + r ⊙ (U_n hₜ₋₁) + b_n)",
        ),
    }
    for name, x in xs.items():
        _gate(
            canvas,
            x,
            row,
            "tanh" if name == "n" else "σ",
            name,
            tips[name],
            "squash" if name == "n" else "gate",
        )
        canvas.text(x + 9, row - 12, name, "shape start")
    canvas.line((xs["r"], row), (xs["r"], 138), (154, 138))
    canvas.line((166, top), (166, 126), kind="state")
    canvas.plus(
        166,
        138,
        "×",
        "reset",
        Tip(t("Reset"), t("What the candidate sees of the old state."), "r ⊙ (U hₜ₋₁)"),
    )
    canvas.line((178, 138), (262, 138), (262, row + 19), (xs["n"] - 30, row + 19))
    canvas.line((xs["z"], row), (xs["z"], top + 12))
    canvas.plus(
        xs["z"],
        top,
        "×",
        "keep",
        Tip(t("Keep"), t("The old state, as far as the update gate keeps it."), "z ⊙ hₜ₋₁"),
    )
    canvas.line((xs["z"], 104), (298, 104), kind="flow")
    canvas.text(258, 95, "1 − z", "shape middle")
    canvas.line((xs["n"], row), (xs["n"], 116))
    canvas.plus(
        xs["n"],
        104,
        "×",
        "take",
        Tip(t("Take"), t("The candidate, as far as the update gate lets it in."), "(1 − z) ⊙ n"),
    )
    canvas.line((xs["n"] + 12, 104), (362, 104), (362, top + 12))
    canvas.plus(
        362,
        top,
        "+",
        "blend",
        Tip(
            t("Blend"),
            t("The new state lies between the old one and the candidate, channel by channel."),
            "hₜ = z ⊙ hₜ₋₁ + (1 − z) ⊙ n",
        ),
    )
    canvas.line((390, top), (390, 330), kind="flow")
    _leaves(canvas, 380, spec)
    b = " + b" if spec.bias else ""
    _equations(
        canvas,
        364,
        [
            (t("reset gate"), f"r = σ(W xₜ + U hₜ₋₁{b})"),
            (t("update gate"), f"z = σ(W xₜ + U hₜ₋₁{b})"),
            (t("candidate"), f"n = tanh(W xₜ + r ⊙ (U hₜ₋₁){b})"),
            (t("new state"), "hₜ = z ⊙ hₜ₋₁ + (1 − z) ⊙ n"),
        ],
    )
