"""Greedy decoding: torch without and with a cache, this engine, onnxruntime-genai and transformers where they are there.

All write the same text in turn, a few tokens each, so that a busy machine slows all alike. The two foreign tools run in
environments of their own: set GENAI_PYTHON and TRANSFORMERS_PYTHON to their interpreters.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from models.build import build
from models.presets import PRESETS
from playground.inference.engine import Decoder, Engine
from playground.onnx_export import loadable, package, shrink, verify
from playground.onnx_export.fused import fused_decoder
from playground.onnx_export.recurrent import recurrent
from playground.onnx_export.transformers import decoder, state_of

MOST, ROUNDS, VOCABULARY, ROOM = 256, 3, 1024, 320
MODELS = {"0.8 M decoder": "gpt2-tiny", "13 M decoder": "llama-small", "LSTM": "lstm-tiny"}


def measure() -> list[tuple]:
    torch.set_num_threads(os.cpu_count() or 1)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for title, preset in MODELS.items():
            spec = PRESETS[preset].spec.replace(vocab_size=VOCABULARY, context_length=ROOM)
            torch.manual_seed(0)
            model = build(spec).eval()
            folder = Path(place) / preset
            began = time.perf_counter()
            write(model, folder)
            checks = list(verify.check_graph(model, folder)) + (
                [] if spec.is_recurrent else list(verify.check_fused(model, folder))
            )
            seconds = time.perf_counter() - began
            goal = 20 if "13" in title else 10
            rows.append(
                (
                    f"{title}: export with its proof ({len(checks)} shapes)",
                    f"{seconds:.1f} s",
                    f"< {goal} s",
                    seconds < goal,
                )
            )
            for batch in (1, 8):
                rows += compared(title, model, folder, batch)
            if "13" in title:
                rows += limits(model, folder)
    return rows


def write(model, folder: Path) -> None:
    """The files that the tools read, without a run around them."""
    spec, weights = model.spec, state_of(model)
    folder.mkdir()
    ids = (0, 1, 2, 3)
    about = {"architecture": spec.architecture, "n_layers": spec.n_layers, "n_kv_heads": spec.kv_heads, "head_dim": spec.head_dim,
             "d_model": spec.d_model, "vocab_size": spec.vocab_size, "context_length": spec.context_length,
             "position": spec.position, "objective": "clm", "pairs": False, "ids": ids}  # fmt: skip
    (folder / "playground.json").write_text(json.dumps(about))
    if spec.is_recurrent:
        shrink.save(recurrent(spec, weights), folder / "model.onnx")
        return
    shrink.save(decoder(spec, weights), folder / "model.onnx")
    for precision in ("fp32", "int8", "int4"):
        shrink.save(
            shrink.shrink(fused_decoder(spec, weights), precision), folder / f"fused.{precision}.onnx"
        )
    (folder / "genai_config.json").write_text(json.dumps(package.genai_config(spec, ids)))
    if family := loadable.family_of(spec):
        from safetensors.numpy import save_file

        named = loadable.renamed(spec, weights, family)
        save_file(
            {k: np.ascontiguousarray(v) for k, v in named.items()},
            folder / "model.safetensors",
            metadata={"format": "pt"},
        )
        (folder / "config.json").write_text(json.dumps(loadable.config(spec, family, ids)))


def compared(title: str, model, folder: Path, batch: int) -> list[tuple]:
    """Tokens a second of everything, the median of some rounds that alternate."""
    prompts = np.random.default_rng(0).integers(4, VOCABULARY, (batch, 8))
    runners = {
        "torch, cache": lambda: cached(model, prompts),
        "this engine, fp32": lambda: engine(folder, "fp32", prompts),
    }
    if not model.spec.is_recurrent:
        runners["this engine, int8"] = lambda: engine(folder, "int8", prompts)
        runners["this engine, int4"] = lambda: engine(folder, "int4", prompts)
        for tool, variable in (
            ("onnxruntime-genai", "GENAI_PYTHON"),
            ("transformers", "TRANSFORMERS_PYTHON"),
        ):
            if python := os.environ.get(variable):
                runners[tool] = lambda tool=tool, python=python: foreign(tool, python, folder, prompts)
    speeds: dict[str, list[float]] = {name: [] for name in ("torch, no cache", *runners)}
    for _ in range(ROUNDS):
        for name, run in runners.items():
            speeds[name].append(run())
    speeds["torch, no cache"].append(uncached(model, prompts))
    found = {name: statistics.median(values) for name, values in speeds.items()}
    ours, small = found["this engine, fp32"], "13" not in title
    goals = {
        "torch, no cache": 10.0 if not small else None,
        "torch, cache": (3.0 if small and "LSTM" not in title else 2.5),
        "onnxruntime-genai": 1.3,
    }
    rows = [(f"{title}, batch {batch}: this engine, fp32", f"{ours:,.0f} tokens/s", "", None)]
    for name, speed in found.items():
        if name == "this engine, fp32":
            continue
        if name.startswith("this engine"):
            goal = 1.8 if "int8" in name and not small else None
            told = f"{speed:,.0f} tokens/s, {speed / ours:.2f} × fp32"
            rows.append(
                (
                    f"{title}, batch {batch}: {name}",
                    told,
                    f"≥ {goal} ×" if goal else "",
                    speed / ours >= goal if goal else None,
                )
            )
        else:
            goal = goals.get(name)
            told = f"{speed:,.0f} tokens/s; this engine {ours / speed:.1f} ×"
            rows.append(
                (
                    f"{title}, batch {batch}: {name}",
                    told,
                    f"≥ {goal} ×" if goal else "",
                    ours / speed >= goal if goal else None,
                )
            )
    return rows


@torch.no_grad()
def uncached(model, prompts: np.ndarray, most: int = MOST) -> float:
    ids, began = torch.from_numpy(prompts), time.perf_counter()
    for _ in range(most):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
    return len(prompts) * most / (time.perf_counter() - began)


@torch.no_grad()
def cached(model, prompts: np.ndarray) -> float:
    state = model.initial_state(len(prompts), ROOM)
    began = time.perf_counter()
    out = model(torch.from_numpy(prompts), state=state)
    for _ in range(MOST - 1):
        out = model(out.logits[:, -1:].argmax(-1), state=out.state)
    return len(prompts) * MOST / (time.perf_counter() - began)


def engine(folder: Path, precision: str, prompts: np.ndarray) -> float:
    made = Engine(folder, precision, batch=len(prompts), device="cpu")
    began = time.perf_counter()
    logits = made.model.read(prompts)
    for _ in range(MOST - 1):
        logits = made.model.step(logits.argmax(-1))
    return len(prompts) * MOST / (time.perf_counter() - began)


def foreign(tool: str, python: str, folder: Path, prompts: np.ndarray) -> float:
    """Tokens a second as the tool itself measures, without its start."""
    script = Path(__file__).parent / f"decoding_{tool.replace('-', '_')}.py"
    command = [python, str(script), str(folder), json.dumps(prompts.tolist()), str(MOST)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.environ.get(f"{tool.upper().replace('-', '_')}_PATH", "")},
    )
    try:
        return float(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        print(done.stderr[-400:], file=sys.stderr)
        return float("nan")


def limits(model, folder: Path) -> list[tuple]:
    """How far fp32 is from what the memory allows, and whether later tokens cost more."""
    bandwidth = read_bandwidth()
    spec = model.spec.replace(context_length=1056)
    about = Engine(folder, device="cpu").about
    made = Decoder(folder / "fused.fp32.onnx", about, room=1056, device="cpu")
    weights = sum(p.numel() for p in model.parameters()) * 4 - VOCABULARY * spec.d_model * 4 * (
        not spec.tie_embeddings
    )
    early, late = [], []
    made.read([[5] * 8])
    for place in range(8, 1030):
        began = time.perf_counter()
        made.step(np.array([7]))
        seconds = time.perf_counter() - began
        if 8 <= place < 72:
            early.append(seconds)
        elif place >= 966:
            late.append(seconds)
    per_token = statistics.median(early)
    cache = 2 * spec.n_layers * spec.kv_heads * spec.head_dim * 4 * 40
    least = (weights + cache) / bandwidth
    ratio = statistics.median(late) / per_token
    limit = f"limit {least * 1e3:.2f} ms at {bandwidth / 1e9:.1f} GB/s"
    reading = f"{per_token * 1e3:.2f} ms, {limit}: {per_token / least:.2f} ×"
    return [
        ("13 M decoder: time of a token at position 1,000 against one at 10", f"{ratio:.2f} ×", "≤ 1.3 ×", ratio <= 1.3),
        ("13 M decoder: a token against the limit of reading the weights", reading, "≤ 1.3 ×", per_token / least <= 1.3),
    ]  # fmt: skip


def read_bandwidth() -> float:
    """Bytes a second that both cores together read from memory, the best of some passes over 400 MB."""
    values, best = torch.ones(100_000_000), 0.0
    for _ in range(8):
        began = time.perf_counter()
        values.sum()
        best = max(best, values.numel() * 4 / (time.perf_counter() - began))
    return best
