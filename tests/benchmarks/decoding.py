"""Greedy decoding: torch without and with a cache, this engine, onnxruntime-genai and transformers.

Each is raced against this engine: both write the same text and take turns of a few tokens, so that a busy machine slows
both alike. The two foreign tools run in environments of their own, made for the occasion; where they cannot be installed,
the rows are left out.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from models.factory import build
from models.presets import PRESETS
from models.spec import ModelSpec
from playground.huggingface import export_run
from playground.inference.engine import Engine, FusedDecoder
from playground.onnx_export import package, quantize, verify
from playground.onnx_export.decoder_graphs import decoder, state_of
from playground.onnx_export.export import write_fused
from playground.onnx_export.rnn_graphs import recurrent
from playground.runs.submit import SETTINGS
from tests.interoperability.environments import GENAI, TRANSFORMERS, Tool, python_with

MOST, TURN, ROUNDS, VOCABULARY, ROOM, LATE = 256, 64, 3, 1024, 320, 1056
PRECISIONS = ["fp32", "kv8", "int8", "int4"]
MODELS = {"0.8 M decoder": "gpt2-tiny", "13 M decoder": "llama-small", "LSTM": "lstm-tiny"}
SETTLE = 0.05  # seconds before each turn, in which the threads of the one before stop waiting for work: ONNX Runtime's take 30 ms
HERE = Path(__file__).parent
THREADS = os.cpu_count() or 1

Turns = Iterator[tuple[float, list[int]]]
"""One way of decoding: each `next` writes TURN tokens and tells the seconds and the first text's tokens."""


def measure() -> list[tuple]:
    torch.set_num_threads(THREADS)
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        tools = {
            "onnxruntime-genai": python_with(Path(place) / "genai", GENAI),
            "transformers": python_with(Path(place) / "transformers", TRANSFORMERS, torch=True),
        }
        for title, preset in MODELS.items():
            model, folder = lively(sized(PRESETS[preset].spec)), Path(place) / preset
            rows.append(export(title, model, folder))
            for batch in (1, 8):
                rows += compared(title, model, folder, batch, tools)
            if "13" in title:
                rows += limits(model, folder)
    return rows


def sized(spec: ModelSpec) -> ModelSpec:
    """With the vocabulary and the room that all have here."""
    return spec.replace(vocab_size=VOCABULARY, context_length=ROOM)


@torch.no_grad()
def lively(spec: ModelSpec) -> torch.nn.Module:
    """A model with random weights, large enough that its text varies; token 0 never comes, so nobody stops early."""
    torch.manual_seed(0)
    model = build(spec).eval()
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            weight *= 3
        if name in ("embedding.tokens.weight", "head.weight"):
            weight[0] = 0
    return model


def export(title: str, model, folder: Path) -> tuple:
    """Writes the files that the tools read, without a run around them, and proves them."""
    began = time.perf_counter()
    write(model, folder)
    checks = list(verify.check_graph(model, folder))
    if not model.spec.is_recurrent:
        checks += list(verify.check_fused(model, folder))
    seconds, goal = time.perf_counter() - began, 20 if "13" in title else 10
    what = f"{title}: export with its proof ({len(checks)} shapes)"
    return what, f"{seconds:.1f} s", f"< {goal} s", seconds < goal


def write(model, folder: Path) -> None:
    spec, weights = model.spec, state_of(model)
    folder.mkdir()
    ids = (0, 1, 2, 3)
    about = {
        "architecture": spec.architecture,
        "n_layers": spec.n_layers,
        "n_kv_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "d_model": spec.d_model,
        "vocab_size": spec.vocab_size,
        "context_length": spec.context_length,
        "position": spec.position,
        "objective": "clm",
        "pairs": False,
        "ids": ids,
    }
    (folder / "playground.json").write_text(json.dumps(about))
    if spec.is_recurrent:
        quantize.save(recurrent(spec, weights), folder / "model.onnx")
        for name in quantize.BITS:
            quantize.save(
                quantize.quantize_weights(recurrent(spec, weights, native=False), name), folder / f"model.{name}.onnx"
            )
        return
    quantize.save(decoder(spec, weights), folder / "model.onnx")
    write_fused(spec, weights, folder, PRECISIONS)
    genai = package.genai_config(spec, ids)
    genai["model"]["eos_token_id"] = 0
    (folder / "genai_config.json").write_text(json.dumps(genai))
    if family := export_run.family_of(spec):
        from safetensors.numpy import save_file

        named = {k: np.ascontiguousarray(v) for k, v in export_run.renamed(spec, weights, family).items()}
        save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(export_run.config(spec, family, ids)))


def compared(title: str, model, folder: Path, batch: int, tools: dict[str, Tool | None]) -> list[tuple]:
    """Tokens a second of everything. Each rival has a race of its own against this engine, and a process of its own: the
    threads of a third one would slow it.
    """
    prompts = np.random.default_rng(0).integers(4, VOCABULARY, (batch, 8))
    rivals: dict[str, Callable[[], Turns]] = {
        way: lambda way=way: in_torch(title, way, prompts) for way in ("torch, no cache", "torch, cache")
    }
    precisions = [name for name in PRECISIONS if name != "kv8" or not model.spec.is_recurrent]
    if not model.spec.is_recurrent:
        for name, tool in tools.items():
            if tool:
                rivals[name] = lambda name=name, tool=tool: foreign(name, tool, folder, prompts)
    kinds = lambda *names: {name: engine(folder, name, prompts) for name in names if name in precisions}
    large, at = "13" in title, f"{title}, batch {batch}"
    speeds, said = race(kinds(*precisions), batch)
    rows = [(f"{at}: this engine, fp32", f"{speeds['fp32']:,.0f} tokens/s", "", None)]
    for name in precisions[1:]:
        goal, ratio = 1.8 if name == "int8" and large and batch == 1 else None, speeds[name] / speeds["fp32"]
        told = f"{speeds[name]:,.0f} tokens/s, {ratio:.2f} × fp32"
        rows.append((f"{at}: this engine, {name}", told, f"≥ {goal} ×" if goal else "", goal and ratio >= goal))
    for name, begin in rivals.items():
        speeds, said = race({name: begin(), **kinds("fp32", "int8" if name == "torch, cache" else "fp32")}, batch)
        goal = {
            "torch, no cache": 10 if large else None,
            "torch, cache": 2.5 if large else 3.0,
            "onnxruntime-genai": 1.3,
        }.get(name)
        told, ratio = (
            f"{speeds[name]:,.0f} tokens/s; fp32 {speeds['fp32'] / speeds[name]:.1f} ×",
            speeds["fp32"] / speeds[name],
        )
        told += f", int8 {speeds['int8'] / speeds[name]:.1f} ×" if "int8" in speeds else ""
        same = next((i for i, (a, b) in enumerate(zip(said[name], said["fp32"], strict=True)) if a != b), MOST)
        told += "" if same == MOST else f"; other tokens from number {same + 1} on"
        rows.append((f"{at}: {name}", told, f"≥ {goal} ×" if goal else "", goal and ratio >= goal))
    return rows


def race(ways: dict[str, Turns], batch: int) -> tuple[dict[str, float], dict[str, list[int]]]:
    """Tokens a second of each, from the median time of every stretch of the text over some rounds; and the first text's
    tokens. Without a cache one round is slow enough.
    """
    seconds = {name: [[] for _ in range(MOST // TURN)] for name in ways}
    said: dict[str, list[int]] = {name: [] for name in ways}
    for round_ in range(ROUNDS):
        for turn in range(MOST // TURN):
            for name, turns in ways.items():
                if round_ and name == "torch, no cache":
                    continue
                time.sleep(SETTLE)
                took, tokens = next(turns)
                seconds[name][turn].append(took)
                said[name] += tokens if round_ == 0 else []
    for turns in ways.values():
        turns.close()
    speeds = {
        name: batch * MOST / sum(statistics.median(took) for took in stretches) for name, stretches in seconds.items()
    }
    return speeds, said


@torch.no_grad()
def uncached(model, prompts: np.ndarray) -> Turns:
    while True:
        ids = torch.from_numpy(prompts)
        for _ in range(MOST // TURN):
            began = time.perf_counter()
            for _ in range(TURN):
                ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
            yield time.perf_counter() - began, ids[0, -TURN:].tolist()


@torch.no_grad()
def cached(model, prompts: np.ndarray) -> Turns:
    while True:
        state, ids = model.initial_state(len(prompts), ROOM), torch.from_numpy(prompts)
        for _ in range(MOST // TURN):
            began, said = time.perf_counter(), []
            for _ in range(TURN):
                out = model(ids, state=state)
                state, ids = out.state, out.logits[:, -1:].argmax(-1)
                said.append(ids)
            yield time.perf_counter() - began, [int(token[0, 0]) for token in said]


def engine(folder: Path, precision: str, prompts: np.ndarray) -> Turns:
    model = Engine(folder, precision, batch=len(prompts), device="cpu").model
    while True:
        for turn in range(MOST // TURN):
            began = time.perf_counter()
            said = model.greedy(TURN, None if turn else prompts)
            yield time.perf_counter() - began, said[0].tolist()


def in_torch(title: str, way: str, prompts: np.ndarray) -> Turns:
    script = [
        sys.executable,
        "-m",
        "tests.benchmarks.decoding_torch",
        title,
        way,
        json.dumps(prompts.tolist()),
        str(THREADS),
    ]
    return elsewhere(way, script, None)


def foreign(name: str, tool: Tool, folder: Path, prompts: np.ndarray) -> Turns:
    script = HERE / f"decoding_{name.replace('-', '_')}.py"
    return elsewhere(
        name, tool.command(script, str(folder), json.dumps(prompts.tolist()), str(MOST), str(THREADS)), tool.env
    )


def elsewhere(name: str, command: list[str], env: dict[str, str] | None) -> Turns:
    """Somebody's turns in a process of its own, without the app's own settings: threads that do not wait spinning are kind to
    a training beside, and halve the speed of PyTorch here.
    """
    env = {name: value for name, value in (env or os.environ).items() if name not in SETTINGS}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=HERE.parents[1],
    ) as process:
        try:
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"{name} does not start: {process.stderr.read()[-600:]}")
            while True:
                process.stdin.write(f"{TURN}\n")
                process.stdin.flush()
                took, said = json.loads(process.stdout.readline())
                yield took, said
        finally:
            process.kill()


def limits(model, folder: Path) -> list[tuple]:
    """How far fp32 is from what the memory allows, and whether later tokens cost more."""
    spec = model.spec.replace(context_length=LATE)
    folder = folder.with_name("long")
    write(lively(spec), folder)
    weights = sum(p.numel() for p in model.parameters()) * 4
    if not spec.tie_embeddings:
        weights -= VOCABULARY * spec.d_model * 4  # of the token table one row is read
    grouped = folder.with_name("grouped")
    write(lively(spec.replace(n_kv_heads=2)), grouped)
    rows = []
    for where, heads in ((folder, ""), (grouped, ", 2 key-value heads")):
        for precision in ("fp32", "kv8", "int8"):
            early, late, reading = moments(where, precision, weights)
            if (where, precision) == (folder, "fp32"):
                rows.append(against_memory(early, spec, weights, reading))
            what = f"13 M decoder{heads}, {precision}: time of a token at position 1,000 against one at 10"
            told = f"{late / early:.2f} × ({early * 1e3:.2f} and {late * 1e3:.2f} ms)"
            rows.append((what, told, "≤ 1.3 ×", late / early <= 1.3))
    return rows


def against_memory(early: float, spec: ModelSpec, weights: int, reading: float) -> tuple:
    """A token early in a text beside the time that its weights and its cache take to be read."""
    cache = 2 * spec.n_layers * spec.kv_heads * spec.head_dim * 4 * 40
    bandwidth = weights / reading
    least = (weights + cache) / bandwidth
    told = f"{early * 1e3:.2f} ms, limit {least * 1e3:.2f} ms at {bandwidth / 1e9:.1f} GB/s: {early / least:.2f} ×"
    return "13 M decoder: a token against the limit of reading the weights", told, "≤ 1.3 ×", early / least <= 1.3


def moments(folder: Path, precision: str, weights: int) -> tuple[float, float, float]:
    """Median seconds of a token early in a text (from place 8 on), of one late (from 966 on), and of reading so many bytes.

    They take turns: on a machine with neighbours the speed of everything changes from second to second.
    """
    made = FusedDecoder(folder / f"fused.{precision}.onnx", Engine(folder, device="cpu").about, device="cpu")
    made.greedy(LATE - 8, [[5] * 8])  # fills the cache
    values, taken = torch.ones(weights // 4), {"early": [], "late": [], "reading": []}
    step = lambda: made.decode_step(made.last)
    turns = {"early": (8, step), "late": (966, step), "reading": (0, values.sum)}
    for _ in range(12):
        for name, (place, turn) in turns.items():
            made.length[:] = place
            time.sleep(SETTLE)
            for i in range(40):
                began = time.perf_counter()
                turn()
                if i >= 8:  # before, threads wake up and caches fill
                    taken[name].append(time.perf_counter() - began)
    return tuple(statistics.median(seconds) for seconds in taken.values())
