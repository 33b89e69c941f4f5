import pytest

from models.hyperparameters import Hyperparameters


def test_widths_follow_from_the_choices():
    assert Hyperparameters("decoder", d_model=96, n_heads=6).head_dim == 16
    assert Hyperparameters("decoder", n_heads=6).kv_heads == 6
    assert Hyperparameters("decoder", d_model=96).mlp_width == 384
    assert Hyperparameters("decoder", d_model=96, mlp="swiglu").mlp_width == 256, "three matrices as large as two"


@pytest.mark.parametrize(
    "architecture, more, objective",
    [
        ("decoder", {}, "clm"),
        ("encoder", {}, "mlm"),
        ("encoder-decoder", {}, "seq2seq"),
        ("lstm", {}, "clm"),
        ("lstm", {"bidirectional": True}, "mlm"),
    ],
)
def test_what_a_model_can_be_trained_to_do(architecture, more, objective):
    choices = Hyperparameters(architecture, **more)
    assert choices.objectives() == (objective,) and choices.is_causal == (objective != "mlm")
