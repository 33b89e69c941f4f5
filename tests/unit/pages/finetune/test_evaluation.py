"""How a fine-tuned model is told against the linear one beside it."""

from playground.pages.finetune.evaluation import delta_to_baseline


def test_no_difference_points_nowhere():
    told = delta_to_baseline(0.87504, 0.87496)
    assert "TF-IDF" in told["delta"] and "+" not in told["delta"]
    assert told["delta_color"] == told["delta_arrow"] == "off"


def test_a_difference_has_its_sign():
    assert delta_to_baseline(0.9, 0.85)["delta"].startswith("+5.0 ") and delta_to_baseline(0.8, 0.85)[
        "delta"
    ].startswith("-5.0 ")


def test_without_a_linear_model_nothing_is_compared():
    assert delta_to_baseline(0.9, None) == {}
