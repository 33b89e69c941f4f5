"""One recurrent layer step by step, in the equations of the textbook, with a hook on every gate.

The names that a hook sees, each ``[batch, length, channels]``:
    LSTM: gates.input, gates.forget, gates.cell, gates.output, cell, hidden
    GRU: gates.reset, gates.update, gates.candidate, hidden
    RNN: hidden
Before the names of a layer that reads from right to left stands "reverse.". Each name is seen once, in this order.
What the hook changes keeps its new value, and everything that depends on it is computed again, at later steps too:
switch off a channel of a gate, and the memory changes. Names seen before keep their values.
"""

import torch
from torch import Tensor

from models.hooks import Hook

Weights = tuple[
    Tensor, Tensor, Tensor | None, Tensor | None
]  # weight_ih [gates·h, input], weight_hh [gates·h, h], bias_ih, bias_hh [gates·h]
Held = dict[str, tuple[Tensor, Tensor]]  # name -> (where changed, the new values), [batch, length, h] both

NAMES = {
    "tanh": ("hidden",),
    "relu": ("hidden",),
    "lstm": ("gates.input", "gates.forget", "gates.cell", "gates.output", "cell", "hidden"),
    "gru": ("gates.reset", "gates.update", "gates.candidate", "hidden"),
}


def trace_layer(
    kind: str,
    weights: Weights,
    x: Tensor,
    before: tuple[Tensor, Tensor | None],
    alive: Tensor | None,
    reverse: bool,
    hook: Hook,
) -> tuple[Tensor, tuple[Tensor, Tensor | None]]:
    """Runs one layer over a text.

    Args:
        kind: "tanh" or "relu" (plain RNN), "lstm" or "gru".
        weights: the layer's parameters as torch names and lays them out.
        x: inputs ``[batch, length, input]``.
        before: hidden state and (LSTM) cell, ``[batch, h]``.
        alive: ``[batch, length]``, False after the end of a text, where the state does not change; None: all
            True.
        reverse: go from the last token to the first.
        hook: called once for each name.

    Returns:
        The hidden states ``[batch, length, h]`` (0 where not alive), and the hidden state and cell at the
        end.
    """
    held: Held = {}
    trace, after = _run(kind, weights, x, before, alive, reverse, held)
    for name in NAMES[kind]:
        value = hook(name, trace[name])
        if value is not trace[name]:
            held[name] = (value != trace[name], value)
            trace, after = _run(kind, weights, x, before, alive, reverse, held)
    return trace["hidden"], after


def _run(
    kind: str,
    weights: Weights,
    x: Tensor,
    before: tuple[Tensor, Tensor | None],
    alive: Tensor | None,
    reverse: bool,
    held: Held,
) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor | None]]:
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    inputs = x @ weight_ih.T if bias_ih is None else x @ weight_ih.T + bias_ih  # [batch, length, gates·h]
    hidden, cell = before
    steps: list[dict[str, Tensor]] = [{}] * x.shape[1]
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):

        def hold(name: str, value: Tensor, t: int = t) -> Tensor:
            if name not in held:
                return value
            changed, new = held[name]
            return torch.where(changed[:, t], new[:, t], value)

        recurrent = hidden @ weight_hh.T if bias_hh is None else hidden @ weight_hh.T + bias_hh  # [batch, gates·h]
        seen = _STEPS[kind](inputs[:, t], recurrent, hidden, cell, hold)
        if alive is not None:
            going = alive[:, t, None]
            hidden = torch.where(going, seen["hidden"], hidden)
            cell = None if cell is None else torch.where(going, seen["cell"], cell)
            seen = {name: value * going for name, value in seen.items()}
        else:
            hidden, cell = seen["hidden"], seen.get("cell")
        steps[t] = seen
    return {name: torch.stack([seen[name] for seen in steps], dim=1) for name in NAMES[kind]}, (hidden, cell)


def _rnn_step(activation):
    def step(inputs, recurrent, hidden, cell, hold) -> dict[str, Tensor]:
        """h = tanh(W x + U h), or relu (Elman 1990)."""
        return {"hidden": hold("hidden", activation(inputs + recurrent))}

    return step


def lstm_step(inputs, recurrent, hidden, cell, hold) -> dict[str, Tensor]:
    """c = f·c + i·g, h = o·tanh(c) (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""
    i, f, g, o = (inputs + recurrent).chunk(4, dim=-1)
    i = hold("gates.input", i.sigmoid())
    f = hold("gates.forget", f.sigmoid())
    g = hold("gates.cell", g.tanh())
    o = hold("gates.output", o.sigmoid())
    cell = hold("cell", f * cell + i * g)
    hidden = hold("hidden", o * cell.tanh())
    return {
        "gates.input": i,
        "gates.forget": f,
        "gates.cell": g,
        "gates.output": o,
        "cell": cell,
        "hidden": hidden,
    }


def _gru_step(inputs, recurrent, hidden, cell, hold) -> dict[str, Tensor]:
    """n = tanh(W x + r·(U h)), h = (1 - z)·n + z·h (Cho et al. 2014, with the reset after the product)."""
    (r, z, n), (r_h, z_h, n_h) = inputs.chunk(3, dim=-1), recurrent.chunk(3, dim=-1)
    r = hold("gates.reset", (r + r_h).sigmoid())
    z = hold("gates.update", (z + z_h).sigmoid())
    n = hold("gates.candidate", (n + r * n_h).tanh())
    hidden = hold("hidden", (1 - z) * n + z * hidden)
    return {"gates.reset": r, "gates.update": z, "gates.candidate": n, "hidden": hidden}


_STEPS = {"tanh": _rnn_step(torch.tanh), "relu": _rnn_step(torch.relu), "lstm": lstm_step, "gru": _gru_step}
