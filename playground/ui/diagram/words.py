"""What each block is, in a sentence or two, with its equation and its numbers."""

from models.parameter_counts import parameter_counts
from models.spec import ModelSpec
from playground.ui.diagram.canvas import Tip
from playground.ui.language import joined, t

POSITION_WORDS = {
    "learned": "A learned vector per position is added to the token's vector.",
    "sinusoidal": "Sine waves of many wavelengths, evaluated at the position, are added to the token's vector.",
    "rotary": "Inside attention, queries and keys are rotated by an angle that grows with their position.",
    "alibi": "Inside attention, scores decrease linearly with the distance between tokens.",
    "none": "The model gets no positions; it can only use that later tokens are masked.",
}


def count(n: int) -> str:
    """A whole number with thin groups: 12,345."""
    return f"{n:,}" if n >= 10_000 else str(n)


def norm_name(spec: ModelSpec) -> str:
    """The norm as papers write it."""
    return "RMSNorm" if spec.norm == "rmsnorm" else "LayerNorm"


def shape(*sizes: object) -> str:
    """``[B, T, 128]``."""
    return f"[{', '.join(map(str, sizes))}]"


def _facts(*rows: tuple[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{value:,}" if isinstance(value, int) else str(value)) for name, value in rows if value)


def _each(spec: ModelSpec, component: str) -> int:
    """Parameters of one layer's share of a component."""
    stacks = 2 if spec.architecture == "encoder-decoder" and component != "cross attention" else 1
    return parameter_counts(spec).get(component, 0) // (stacks * spec.n_layers)


def tokens_tip(spec: ModelSpec, side: str = "") -> Tip:
    length = "S" if side == "encoder" else "T"
    return Tip(
        t("Tokens"),
        t(
            "Numbers from the tokenizer: B texts side by side, each of {length} tokens, at most {most}.",
            length=length,
            most=spec.context_length,
        ),
        facts=_facts((t("shape"), shape("B", length)), (t("vocabulary"), spec.vocab_size)),
    )


def embedding_tip(spec: ModelSpec, side: str = "") -> Tip:
    text = t("Looks each token's vector up in a table with a row for every token of the vocabulary.")
    formula = "x = E[token]"
    if not spec.is_recurrent:
        text = joined(text, t(POSITION_WORDS[spec.position]))
        formula = {
            "learned": "x = E[token] + P[place]",
            "sinusoidal": "x = √d · E[token] + waves(place)",
        }.get(spec.position, formula)
    counts = parameter_counts(spec)
    return Tip(
        t("Embedding"),
        text,
        formula,
        _facts(
            (t("shape"), f"[B, T] → {shape('B', 'T', spec.d_model)}"),
            (t("token table"), f"{spec.vocab_size:,} × {spec.d_model}"),
            (t("parameters"), counts.get("token embedding", 0) + counts.get("position embedding", 0)),
        ),
    )


def norm_tip(spec: ModelSpec, title: str = "") -> Tip:
    if spec.norm == "rmsnorm":
        text = t("Divides each token's vector by its root mean square, then scales each channel by a learned weight.")
        formula = f"x / √(mean(x²) + {spec.norm_eps:g}) · g"
    else:
        text = t("Brings each token's vector to mean 0 and variance 1, then scales and shifts each channel.")
        formula = f"(x − mean) / √(var + {spec.norm_eps:g}) · g" + (" + b" if spec.bias else "")
    size = spec.d_model * (2 if spec.bias and spec.norm == "layernorm" else 1)
    return Tip(title or norm_name(spec), text, formula, _facts((t("parameters"), size)))


def attention_tip(spec: ModelSpec, what: str = "attention", side: str = "") -> Tip:
    if what == "cross":
        text = t(
            "Every target token attends to the source: queries come from the decoder, keys and values from the encoder."
        )
    elif spec.architecture == "decoder" or side == "decoder":
        text = t(
            "Every token collects the values of itself and the tokens before it, weighted by the similarity of query and key."
        )
    else:
        text = t(
            "Every token collects the values of all tokens, before and after, weighted by the similarity of query and key."
        )
    component = "cross attention" if what == "cross" else "attention"
    n = spec.kv_heads
    return Tip(
        t("Cross-attention") if what == "cross" else t("Attention"),
        text,
        "softmax(Q Kᵀ / √d_k) V",
        _facts(
            (t("heads"), t("{n}, of {d} channels", n=spec.n_heads, d=spec.head_dim)),
            (t("key-value heads"), n if n != spec.n_heads else ""),
            (t("weights"), shape("B", spec.n_heads, "T", "S" if what == "cross" else "T")),
            (t("parameters per layer"), _each(spec, component)),
        ),
    )


MLP_FORMULAS = {
    "gelu": "W₂ · GELU(W₁ x)",
    "gelu_tanh": "W₂ · GELU(W₁ x)",
    "relu": "W₂ · max(0, W₁ x)",
    "relu2": "W₂ · max(0, W₁ x)²",
    "swiglu": "W₂ · (SiLU(W_gate x) ⊙ W_up x)",
}


def mlp_tip(spec: ModelSpec) -> Tip:
    return Tip(
        t("MLP"),
        t("Works on each token separately: widens its vector, applies a non-linear activation, and narrows it again."),
        MLP_FORMULAS[spec.mlp],
        _facts(
            (t("channels"), f"{spec.d_model} → {spec.mlp_width} → {spec.d_model}"),
            (t("parameters per layer"), _each(spec, "mlp")),
        ),
    )


def plus_tip() -> Tip:
    return Tip(
        t("Residual"),
        t(
            "Residual connection: the input is added to the output, so that a layer only learns a change and gradients reach the first layer."
        ),
        "x + f(x)",
    )


def head_tip(spec: ModelSpec) -> Tip:
    text = (
        t("Scores every token of the vocabulary for what comes next.")
        if spec.is_causal
        else t("Scores every token of the vocabulary, at each position.")
    )
    if spec.tie_embeddings:
        text = joined(text, t("The matrix is the token table itself, so it costs no parameters of its own."))
    if spec.logit_softcap:
        text = joined(text, t("Softcap: the logits are limited smoothly to ±{cap}.", cap=f"{spec.logit_softcap:g}"))
    counts = parameter_counts(spec)
    formula = "E x" if spec.tie_embeddings else "W x"
    if spec.logit_softcap:
        formula = f"c · tanh({formula} / c),  c = {spec.logit_softcap:g}"
    return Tip(
        t("Output matrix"),
        text,
        formula,
        _facts(
            (t("shape"), f"{shape('B', 'T', spec.d_model)} → {shape('B', 'T', count(spec.vocab_size))}"),
            (t("parameters"), counts.get("output matrix", 0) + counts.get("head transform", 0)),
        ),
    )


def logits_tip(spec: ModelSpec) -> Tip:
    return Tip(
        t("Logits"),
        t("One score per token of the vocabulary, at every position; softmax turns the scores into probabilities."),
        "p = softmax(logits)",
        _facts((t("shape"), shape("B", "T", count(spec.vocab_size)))),
    )


def cell_tip(spec: ModelSpec) -> Tip:
    texts = {
        "rnn": t("Combines the new token with the state; the state is overwritten at every step."),
        "lstm": t(
            "Keeps a long-term cell beside its state. Three gates decide what the cell forgets, writes and outputs."
        ),
        "gru": t(
            "The update gate decides how much of the old state stays; the reset gate, how much of it the new candidate sees."
        ),
    }
    formulas = {
        "rnn": "hₜ = {f}(W xₜ + U hₜ₋₁ + b)".replace("{f}", "max(0, ·)" if spec.nonlinearity == "relu" else "tanh"),
        "lstm": "cₜ = f ⊙ cₜ₋₁ + i ⊙ g,  hₜ = o ⊙ tanh(cₜ)",
        "gru": "hₜ = z ⊙ hₜ₋₁ + (1 − z) ⊙ n",
    }
    width = spec.d_model // (2 if spec.bidirectional else 1)
    return Tip(
        t("{kind} cell", kind=spec.architecture.upper()),
        texts[spec.architecture],
        formulas[spec.architecture],
        _facts((t("state"), shape("B", width)), (t("parameters per layer"), _each(spec, "recurrent"))),
    )
