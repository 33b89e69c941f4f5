import pytest
import torch
import torch.nn.functional as F

from models import ClassificationHead, ModelSpec, TaggingHead, build
from models.heads import softcap
from tests.support.small_models import lively, tokens


def test_softcap_bounds_and_leaves_small_logits_alone():
    logits = torch.linspace(-1000, 1000, 201)
    assert softcap(logits, 15.0).abs().max() <= 15.0
    assert (softcap(logits, 15.0).diff() >= 0).all()
    assert softcap(torch.tensor(0.1), 15.0).item() == pytest.approx(0.1, abs=1e-5)
    assert softcap(torch.tensor(15.0), 15.0).item() == pytest.approx(15 * 0.76159416, abs=1e-4)


def test_a_models_logits_stay_under_its_cap():
    model = lively(ModelSpec("decoder", vocab_size=13, d_model=16, logit_softcap=2.0))
    logits = model(tokens(model.spec, 2, 8)).logits
    assert logits.abs().max() <= 2.0
    raw = F.linear(model(tokens(model.spec, 2, 8)).hidden, model.embedding.tokens.weight)
    assert raw.abs().max() > 2.0


def test_a_tied_matrix_is_the_token_table():
    tied = build(ModelSpec("decoder", vocab_size=13, d_model=16))
    assert not [name for name in tied.state_dict() if name.startswith("head")]
    ids = tokens(tied.spec, 2, 8)
    out = tied(ids)
    torch.testing.assert_close(out.logits, out.hidden @ tied.embedding.tokens.weight.T)
    untied = build(tied.spec.replace(tie_embeddings=False))
    out = untied(ids)
    torch.testing.assert_close(out.logits, out.hidden @ untied.head.weight.T)


@pytest.mark.parametrize(
    ("bend", "by_hand"),
    [
        ("gelu", lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5))),
        ("gelu_tanh", lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))),
        ("relu", lambda x: x * (x > 0)),
    ],
)
def test_berts_head_is_dense_a_bend_norm_and_a_bias(bend, by_hand):
    model = lively(ModelSpec("encoder", vocab_size=13, d_model=16, head_transform=True, head_activation=bend))
    out = model(tokens(model.spec, 2, 8))
    head = model.head
    x = by_hand(out.hidden @ head.dense.weight.T + head.dense.bias)
    x = F.layer_norm(x, (16,), head.norm.weight, head.norm.bias, 1e-5)
    torch.testing.assert_close(out.logits, x @ model.embedding.tokens.weight.T + head.bias)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", [[1.5, 0], [5, 0]]), ("first", [[1, 0], [4, 0]]), ("last", [[2, 0], [6, 0]])],
)
def test_classification_pools_only_real_tokens(pooling, expected):
    hidden = torch.tensor([[[1.0, 0], [2, 0], [99, 0]], [[4.0, 0], [5, 0], [6, 0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    head = ClassificationHead(2, 3, pooling=pooling)
    torch.testing.assert_close(head(hidden, mask), head.classes(torch.tensor(expected).float()))
    torch.testing.assert_close(head(hidden[1:]), head(hidden, mask)[1:])


def test_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="mean, first or last"):
        ClassificationHead(2, 3, pooling="max")


def test_tagging_scores_every_token():
    assert TaggingHead(4, 7, dropout=0.1)(torch.randn(2, 5, 4)).shape == (2, 5, 7)
