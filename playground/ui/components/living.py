"""The living picture: one drawing of a model, from its tokens to its next token, alive or played over the steps.

The server gives frames (`playground.runs.frames`); hovering, opening, pinning and playing happen in the browser, and only
what the person settles on comes back.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from playground.ui.colours import ARCHITECTURE, BLUE, DIVERGING, SEQUENTIAL
from playground.ui.components import component, nothing
from playground.ui.language import t

SCRIPTS = (
    "plot",
    "ramp",
    "frames",
    "living_layout",
    "living_tiles",
    "living_fit",
    "living_clock",
    "living_opened",
)
"""What the picture stands on, after shared.js and before its own script."""


class Event(Protocol):
    """Something that happened at a step, and what, in a sentence."""

    @property
    def step(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def what(self) -> str: ...


@dataclass(frozen=True)
class LivingAnswer:
    """What the person settled on; None while they have not touched it.

    Attributes:
        pinned: keys of tensors (`tensor_of`), in the order in which they were pinned.
        opened: the key of the one that is drawn large; "" for none.
    """

    pinned: list[str] | None
    opened: str | None


def tensor_of(key: str) -> str:
    """The name of the tensor that a pinned or opened key is about: without the number of the head after ":"."""
    return key.partition(":")[0]


def living(
    key: str,
    frames: Sequence[bytes],
    *,
    mode: Literal["live", "timeline"],
    pinned: Sequence[str] = (),
    events: Sequence[Event] = (),
    second: Sequence[bytes] = (),
    align: str = "step",
    compact: bool = False,
    opened: str = "",
    names: Sequence[str] = (),
    caption: str = "",
    colour: str = BLUE,
) -> LivingAnswer:
    """Draws the picture.

    Args:
        frames: safetensors files; in live mode the newest frame alone (the script keeps those before), on a timeline all of
            them, in the order of their steps.
        pinned: keys of tensors that stand in a row above the picture: a hook name, with ":" and a number for one head.
        events: marked on the timeline.
        second: frames of a second run beside the first, on a timeline only.
        align: by what the second run's frames belong to those of the first: "step", "tokens", "seconds" or "loss".
        compact: small, without legends, for a side column.
        opened: the key of the tensor that is drawn large at first; "" for none.
        names: of the one or two runs.
        caption: one sentence of what to notice; "" takes that of the architecture.
        colour: of bars and curves.
    """
    data = living_data(frames, mode, pinned, events, second, align, compact, opened, names, caption, colour)
    if not frames:
        return LivingAnswer(None, None)
    answer = component("living", *SCRIPTS)(key=key, data=data, on_pinned_change=nothing, on_opened_change=nothing)
    return LivingAnswer(
        None if answer.pinned is None else [str(each) for each in answer.pinned],
        None if answer.opened is None else str(answer.opened),
    )


def living_data(
    frames: Sequence[bytes],
    mode: str,
    pinned: Sequence[str] = (),
    events: Sequence[Event] = (),
    second: Sequence[bytes] = (),
    align: str = "step",
    compact: bool = False,
    opened: str = "",
    names: Sequence[str] = (),
    caption: str = "",
    colour: str = BLUE,
) -> dict[str, Any]:
    """All that the script is given: frames as base64, events, words in the person's language."""
    about = {} if not frames else about_of(frames[-1])
    return {
        "frames": [base64.b64encode(frame).decode() for frame in frames],
        "second": [base64.b64encode(frame).decode() for frame in second],
        "mode": mode,
        "pinned": list(pinned),
        "opened": opened,
        "events": [{"step": event.step, "kind": event.kind, "what": event.what} for event in events],
        "align": align,
        "compact": compact,
        "names": list(names),
        "caption": caption or caption_of(str(about.get("kind", "")), str(about.get("architecture", ""))),
        "colour": ARCHITECTURE.get(str(about.get("architecture", "")), colour) if colour == BLUE else colour,
        "scales": {"signed": DIVERGING, "shares": SEQUENTIAL},
        "words": words(),
    }


def about_of(frame: bytes) -> dict[str, Any]:
    """What a frame says about itself; {} where it does not."""
    import json

    try:
        size = int.from_bytes(frame[:8], "little")
        return json.loads(json.loads(frame[8 : 8 + size])["__metadata__"]["frame"])
    except (ValueError, KeyError, TypeError):
        return {}


def caption_of(kind: str, architecture: str) -> str:
    """One sentence of what to notice."""
    if kind == "gradients":
        return t("Gradients: where the loss of this text would change most if the number changed a little.")
    if kind == "change":
        return t("What changed in the activations since the step that is named: the stronger the colour, the more.")
    if kind == "weights_change":
        return t("What training added to the weights since the step that is named: the stronger the colour, the more.")
    if kind == "weights":
        return t("Weights: stripes are input or output channels that matter more than the others.")
    if architecture in ("lstm", "gru", "rnn"):
        return t("Follow a channel from left to right: a long stripe is something that the model remembers.")
    if architecture in ("encoder-decoder", "lstm-attention"):
        return t("Cross-attention: each output token (row) looks at the source tokens (columns) that it comes from.")
    return t("A sharp line in a head's map: the head has learned where to look.")


def words() -> dict[str, Any]:
    """What the script says, in the person's language."""
    return {
        "step": t("step"),
        "loss": t("loss"),
        "rate": t("{n} frames per second"),
        "hold": t("Pause the picture"),
        "resume": t("Resume the picture"),
        "others": t("Open a tensor…"),
        "pinned": t("Pinned tensors"),
        "picture": t("The model"),
        "tokens": t("Tokens"),
        "token": t("token"),
        "row": t("row"),
        "layer": t("Layer {n}"),
        "head": t("head {n}"),
        "heads": t("Heads"),
        "encoder": t("Encoder"),
        "decoder": t("Decoder"),
        "mean": t("mean"),
        "spread": t("standard deviation"),
        "norm": t("norm"),
        "close": t("Close"),
        "pin": t("Pin"),
        "unpin": t("Unpin"),
        "absent": t("This tensor is not in the frame."),
        "damaged": t("A frame is damaged and is left out."),
        "largest": t("and beyond; largest magnitude:"),
        "share": t("always between 0 and 1"),
        "next": t("Likeliest next tokens"),
        "at_mask": t("Likeliest at the first <mask>"),
        "since": t("since step {step}"),
        "hint": t("Click a map to see it large; Shift and a click keep it above."),
        "at_last": t("Likeliest at the last position"),
        "mixed": t("Colours between two steps are mixed; numbers are a step's own."),
        "timeline": t("Timeline"),
        "scrub": t("Step that is shown"),
        "play": t("Play"),
        "pause": t("Pause"),
        "speed": t("Speed"),
        "loop": t("loop"),
        "align": t("Align by"),
        "aligns": {"step": t("step"), "tokens": t("tokens"), "seconds": t("seconds"), "loss": t("loss")},
        "kinds": {
            "values": t("Activations"),
            "gradients": t("Gradients"),
            "change": t("Change"),
            "weights": t("Weights"),
            "weights_change": t("Change of the weights"),
        },
        "axes": {
            "query": t("query token"),
            "key": t("key token"),
            "token": t("token"),
            "channel": t("channel"),
            "vocabulary": t("vocabulary"),
            "out": t("output channel"),
            "in": t("input channel"),
        },
        "parts": parts(),
    }


def parts() -> dict[str, list[str]]:
    """Names of tensors by what follows "layers.N.", each at length and in short."""
    named = {
        "embeddings": (t("Embeddings"), t("Embeddings")),
        "attention.weights": (t("Attention weights"), t("Attention weights")),
        "attention.scores": (t("Attention scores"), t("Scores")),
        "attention.q": (t("Queries"), t("Queries")),
        "attention.k": (t("Keys"), t("Keys")),
        "attention.v": (t("Values"), t("Values")),
        "attention.heads": (t("Output of the head"), t("Head")),
        "attention.output": (t("Output of the attention"), t("Attention")),
        "cross.weights": (t("Cross-attention weights"), t("Cross-attention")),
        "cross.scores": (t("Cross-attention scores"), t("Scores")),
        "cross.q": (t("Cross-attention queries"), t("Queries")),
        "cross.k": (t("Cross-attention keys"), t("Keys")),
        "cross.v": (t("Cross-attention values"), t("Values")),
        "cross.heads": (t("Output of the cross-attention head"), t("Head")),
        "cross.output": (t("Output of the cross-attention"), t("Cross-attention")),
        "mlp.hidden": (t("MLP activations"), t("MLP")),
        "mlp.output": (t("Output of the MLP"), t("MLP")),
        "output": (t("Output of the layer (residual stream)"), t("L2 norm")),
        "final": (t("Input of the output head"), t("Final")),
        "logits": (t("Logits"), t("Logits")),
        "gates.input": (t("Input gate"), t("Input gate")),
        "gates.forget": (t("Forget gate"), t("Forget gate")),
        "gates.cell": (t("Candidate values of the cell"), t("Candidate")),
        "gates.output": (t("Output gate"), t("Output gate")),
        "gates.reset": (t("Reset gate"), t("Reset gate")),
        "gates.update": (t("Update gate"), t("Update gate")),
        "gates.candidate": (t("Candidate state"), t("Candidate")),
        "cell": (t("Cell state"), t("Cell state")),
        "hidden": (t("Hidden state"), t("Hidden state")),
        "embedding.tokens.weight": (t("Token embeddings"), t("Token embeddings")),
        "attention.qkv.weight": (t("Query, key and value projections"), "Q, K, V"),
        "attention.output.weight": (t("Output projection of the attention"), t("Attention")),
        "mlp.up.weight": (t("MLP, first matrix"), t("MLP up")),
        "mlp.gate.weight": (t("MLP, gate matrix"), t("MLP gate")),
        "mlp.down.weight": (t("MLP, second matrix"), t("MLP down")),
        "recurrent.weight_ih": (t("Input weights"), t("Input weights")),
        "recurrent.weight_hh": (t("Recurrent weights"), t("Recurrent weights")),
    }
    return {part: list(names) for part, names in named.items()}
