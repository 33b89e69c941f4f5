"""The parts as on a GPU, with doubles of what a GPU does: all that is left to a card are its own kernels and its figures."""

import time

import pytest
import torch

from tests.benchmarks.gpu import card, decoding, proof, training
from tests.benchmarks.gpu.rows import Setting
from tests.benchmarks.gpu.sizes import TINY
from tests.support.pretended_gpu import gpu, pretended  # noqa: F401

CARD = {"bf16_tflops": 800.0, "sheet_tflops": 989, "bandwidth": 3e12, "memory": 85e9}


def measured(part, seconds: float = 600.0) -> list:
    return list(part.measure(Setting("cuda", False, time.monotonic() + seconds, CARD)))


@pytest.fixture
def tiny(monkeypatch):
    """Models of no size, though it is no rehearsal."""
    small = lambda spec, setting: spec.replace(**TINY, vocab_size=min(spec.vocab_size, 96))
    for module in (decoding, training.sizes):
        monkeypatch.setattr(module, "sized", small)


def test_the_card_tells_its_name_its_sheet_and_its_peaks(pretended, monkeypatch):  # noqa: F811
    monkeypatch.setattr(card, "nvidia_smi", lambda: dict.fromkeys(card.ASKED, "1"))
    real = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *shape, **kinds: real(*(min(n, 64) for n in shape), **kinds))
    rows = measured(card)
    about = {name: value for row in rows for name, value in row.figures.items()}
    assert not [row for row in rows if row.state]
    assert about["gpu"] and about["name"] == "NVIDIA H100 80GB HBM3" and about["sheet_tflops"] == 989
    assert about["bf16_tflops"] > 0 and about["bandwidth"] > 0 and "SM clock" in rows[1].measured


def test_decoding_runs_on_the_card_in_16_bits_and_says_what_ran(pretended, tiny, monkeypatch):  # noqa: F811
    monkeypatch.setattr(decoding, "ORDER", decoding.REHEARSED)
    monkeypatch.setattr(decoding, "MOST", 8)
    rows = {row.what: row for row in measured(decoding)}
    assert not [row for row in rows.values() if row.state], [row.measured for row in rows.values() if row.state]
    ours = rows["124 M, batch 1: this engine, fp16"]
    assert (
        "ONNX Runtime (CUDA, fp16, CUDA graph)" in ours.measured
        and "≥ 0.5 of the limit" in ours.goal
        and ours.met is False
    )
    assert "compiled, one CUDA graph a token" in rows["124 M, batch 1: torch, compiled, static cache"].measured
    goals = {what: row.goal for what, row in rows.items() if "against" in what and row.goal}
    assert goals == {
        "124 M, batch 1: this engine, fp16, against torch, compiled, static cache": "≥ 1.5 ×",
        "13 M, batch 1: this engine, fp16, against torch, cache": "≥ 3 ×",
    }


def test_what_there_is_no_time_for_is_said(pretended, tiny):  # noqa: F811
    rows = measured(decoding, 1.0) + measured(proof, 1.0)
    assert len(rows) > 20 and {row.measured for row in rows} == {"skipped: no time was left"}


def test_exports_are_proved_on_the_card(pretended, monkeypatch):  # noqa: F811
    kinds = ("decoder, learned positions", "decoder, odd heads", "encoder–decoder", "LSTM")
    monkeypatch.setattr(proof, "WRITERS", {kind: proof.WRITERS[kind] for kind in kinds})
    monkeypatch.setattr(
        proof, "SHAPE", {"vocab_size": 96, "d_model": 64, "n_layers": 1, "n_heads": 2, "context_length": 32}
    )
    rows = measured(proof)
    bad = [(row.what, row.measured) for row in rows if row.met is not True]
    assert not bad
    ran = {row.what.removeprefix("export on CUDA: "): row.measured for row in rows}
    assert "CUDA, fp16, CUDA graph" in ran["decoder, learned positions, auto"]
    assert all("ONNX Runtime (CUDA" in told for told in ran.values())


def test_training_replays_graphs_beside_the_bare_loops(pretended, tiny, monkeypatch):  # noqa: F811
    for name, least in (("TURN", 0.001), ("TURNS", 1), ("WARM", 1)):
        monkeypatch.setattr(training, name, least)
    monkeypatch.setattr(training, "PRESETS", {name: training.PRESETS[name] for name in ("bert-tiny", "modern-small")})
    monkeypatch.setattr(training, "COMPILED", ("modern-small",))
    rows = {row.what: row for row in measured(training)}
    assert not [row for row in rows.values() if row.state], [row.measured for row in rows.values() if row.state]
    assert "2.00 GB (bare 2.00 GB); NVIDIA H100 80GB HBM3, bfloat16, CUDA graph" in rows["training, bert-tiny"].measured
    assert {row.goal for row in rows.values() if row.goal} == {
        "≥ 5 × bare eager",
        "≥ 2 × bare eager",
        "≥ 40% of the measured bf16 peak",
        "≥ 1 ×",
    }
    assert "compiled, CUDA graph" in rows["training, modern-small, compiled"].measured
    assert "batch 16 × 32" in rows["training, GPT-2, 124 M"].measured
