"""Settings that are refused since nothing reads them: changed all the same, they change nothing; the others do."""

import pytest
import torch

from models.factory import build
from models.spec import ModelSpec
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.unused_settings import unused_settings
from playground.text.spec import DataSpec
from playground.training import worker

SMALL = {"vocab_size": 40, "d_model": 32, "n_layers": 2, "n_heads": 4, "context_length": 12}
OTHERS = {  # of every field that makes a model, another value
    "d_model": 16,
    "n_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
    "mlp": "relu",
    "d_mlp": 24,
    "norm": "rmsnorm",
    "norm_position": "post",
    "norm_eps": 0.5,
    "bias": False,
    "position": "alibi",
    "rope_theta": 50.0,
    "qk_norm": True,
    "logit_softcap": 2.0,
    "init_std": 0.5,
    "zero_init": True,
    "embedding_norm": True,
    "head_transform": True,
    "tie_embeddings": False,
    "nonlinearity": "relu",
}
KINDS = {
    "rnn": {"architecture": "rnn"},
    "lstm, a head of its own": {"architecture": "lstm", "tie_embeddings": False},
    "gru with a norm": {"architecture": "gru", "embedding_norm": True},
    "decoder": {"architecture": "decoder"},
    "turning decoder": {"architecture": "decoder", "position": "rotary"},
    "encoder": {"architecture": "encoder"},
}
TRAININGS = {
    "adamw": {"optimizer": "adamw"},
    "muon": {"optimizer": "muon", "schedule": "linear"},
    "sgd": {"optimizer": "sgd", "schedule": "constant"},
}
OTHER_TRAININGS = {
    "muon_lr": 0.3,
    "momentum": 0.5,
    "beta1": 0.5,
    "beta2": 0.6,
    "constant_fraction": 0.5,
    "final_lr_fraction": 0.7,
    "mask_rate": 0.5,
    "sample_max_new_tokens": 3,
    "sample_prompt": "so",
}


@torch.no_grad()
def seen(spec: ModelSpec) -> list[torch.Tensor]:
    """All weights of a fresh model, and what it says of a text."""
    torch.manual_seed(1)
    model = build(spec).eval()
    ids = torch.tensor([[5, 9, 11, 5, 3, 20]])
    return [*model.state_dict().values(), model(ids).logits]


def alike(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize("field", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_choice_of_the_model_is_told_as_unread_where_it_changes_nothing(kind, field):
    spec = ModelSpec(**SMALL | KINDS[kind])
    value = OTHERS[field] if getattr(spec, field) != OTHERS[field] else not OTHERS[field]
    objective = spec.objectives()[0]
    is_unread = f"model.{field}" in unused_settings(
        RunConfig("a run", spec, DataSpec("python-docs"), TrainingSpec(objective))
    )
    assert alike(seen(spec), seen(spec.replace(**{field: value}))) == is_unread


@pytest.mark.parametrize("objective", ["clm", "mlm"])
@pytest.mark.parametrize("kind", TRAININGS)
def test_a_choice_of_the_training_is_told_as_unread_where_it_changes_nothing(kind, objective, new_run):
    """A few steps and a sample of each, which are the same to the last bit or not."""

    def came_out(**changes) -> list:
        usual = {
            "objective": objective,
            "steps": 6,
            "eval_every": 6,
            "sample_every": 6,
            "sample_max_new_tokens": 8,
            "warmup_steps": 1,
        }
        run = new_run(
            {"architecture": "decoder" if objective == "clm" else "encoder"}, usual | TRAININGS[kind] | changes
        )
        assert worker.run(run) == "finished"
        told.update(unused_settings(run.config()))
        losses = [row.get("loss", row.get("val_loss")) for row in run.metrics()[0] if row["kind"] in ("train", "eval")]
        return [losses, [{**sample, "time": 0} for sample in run.samples()]]

    told: dict[str, str] = {}
    usual = came_out()
    changing_nothing = {name for name, value in OTHER_TRAININGS.items() if came_out(**{name: value}) == usual}
    assert changing_nothing == {name for name in OTHER_TRAININGS if f"training.{name}" in told}
