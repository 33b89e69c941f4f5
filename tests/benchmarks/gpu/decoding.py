"""Greedy decoding, tokens per second: torch without and with a cache and compiled with a static one, and this engine in each
precision; how near each comes to the time that reading the weights takes, and whether the tokens are the CPU's.

What is compared takes turns of a whole text. Reading the prompt is not counted: the limit is one of single steps.
"""

import copy
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from models.presets import PRESETS
from models.spec import ModelSpec
from playground.inference.engine import Engine
from tests.benchmarks.gpu.exports import lively, write_decoder
from tests.benchmarks.gpu.rows import Row, Setting, attempt, failed, first_difference, skipped
from tests.benchmarks.gpu.sizes import GPT2_124M, sized
from tests.benchmarks.gpu.static import StaticDecoder
from tests.benchmarks.gpu.timing import seconds

PRECISIONS = ["fp16", "fp32", "int8", "int4"]
LARGE, MIDDLE, SMALL = "124 M", "13 M", "0.8 M"
REHEARSED = [("124 M", 1), ("13 M", 1), ("0.8 M", 2)]
ORDER = [(name, 1) for name in (LARGE, MIDDLE, SMALL)] + [
    (name, batch) for name in (LARGE, MIDDLE, SMALL) for batch in (8, 64)
]
PROMPT, MOST, ROUNDS = 8, 256, 3  # tokens that are read, tokens that are written, texts of each way
AGAINST_CACHE = {MIDDLE: 3.0, SMALL: 5.0}  # × torch with a cache, batch 1
AGAINST_COMPILED, OF_LIMIT = 1.5, 0.5  # of the large model, batch 1
TIE = {
    "fp32": 5e-3,
    "fp16": 1e-2,
}  # of the largest logit: two tokens so near may change places; attention has 16 bits in both
NEEDED, NEEDED_COMPILED = 8.0, 30.0  # seconds that must be left to begin
CACHE, UNCACHED, STATIC = "torch, cache", "torch, no cache", "torch, compiled, static cache"
GATHERED = ("Gather", "GroupQueryAttention")  # of a matrix that only these read, a token takes one row


@dataclass(frozen=True)
class Way:
    """One way of decoding.

    Attributes:
        begin: reads the prompts; gives the first token of the first text.
        write: the next ``n`` tokens of all; gives those of the first text.
        about: what really ran.
    """

    begin: Callable[[], int]
    write: Callable[[int], list[int]]
    about: str = ""


@dataclass(frozen=True)
class Case:
    """One model at one batch.

    Attributes:
        model: on the CPU, in 32 bits.
        theirs: what the CPU's engine writes after the prompt.
        max_new_tokens: tokens of a text.
        opened: this engine in 16 bits, where it was opened before.
    """

    name: str
    batch: int
    model: nn.Module
    folder: Path
    prompts: np.ndarray
    theirs: list[int]
    max_new_tokens: int
    opened: dict[str, "Way"] = field(default_factory=dict)

    @property
    def at(self) -> str:
        return f"{self.name}, batch {self.batch}"


def measure(setting: Setting) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        bench = DecodingBench(setting, Path(place))
        later: list[tuple[str, int]] = []
        for name, batch in ORDER if not setting.rehearsal else REHEARSED:
            at = f"{name}, batch {batch}"
            yield from bench.when(NEEDED, at, bench.compared, name, batch)
            if batch == 1:
                yield from bench.when(NEEDED_COMPILED, f"{at}: {STATIC}", bench.compiled, name, batch)
            else:
                later.append((name, batch))
        for name, batch in later:  # a compiler takes its time: the cases without a goal come last
            yield from bench.when(NEEDED_COMPILED, f"{name}, batch {batch}: {STATIC}", bench.compiled, name, batch)


Measured = Callable[[str, int], Iterator[Row]]


class DecodingBench:
    """The cases, each made when it is asked for."""

    def __init__(self, setting: Setting, place: Path) -> None:
        self.setting, self.place = setting, place
        self.models: dict[str, Callable[[int], Case]] = {}
        self.cases: dict[tuple[str, int], Case] = {}

    def when(self, needed: float, what: str, measured: Measured, name: str, batch: int) -> Iterator[Row]:
        """Its rows, or one that says that there was no time."""
        if self.setting.left() < needed:
            yield skipped(what, "no time was left")
        else:
            yield from attempt(what, measured, name, batch)

    def case(self, name: str, batch: int) -> Case:
        if name not in self.models:
            self.models[name] = prepared(self.setting, name, self.place / name.replace(" ", ""))
        if (name, batch) not in self.cases:
            self.cases[name, batch] = self.models[name](batch)
        return self.cases[name, batch]

    def compared(self, name: str, batch: int) -> Iterator[Row]:
        return compared(self.setting, self.case(name, batch))

    def compiled(self, name: str, batch: int) -> Iterator[Row]:
        return compiled(self.setting, self.case(name, batch))


def prepared(setting: Setting, name: str, folder: Path) -> Callable[[int], Case]:
    """The model, its export, and what the CPU writes with it: cases of any batch, whose first texts are the same."""
    spec = {LARGE: GPT2_124M, MIDDLE: PRESETS["llama-small"].spec, SMALL: PRESETS["gpt2-tiny"].spec}[name]
    if name != LARGE:
        spec = spec.replace(vocab_size=1024, context_length=320)
    model = lively(sized(spec, setting))
    write_decoder(model, folder, sorted(PRECISIONS, key=lambda precision: precision != "fp32"))
    max_new_tokens = 8 if setting.rehearsal else MOST
    prompts = np.random.default_rng(0).integers(4, model.spec.vocab_size, (64, PROMPT))
    theirs = Engine(folder, "fp32", device="cpu").model.greedy(max_new_tokens + 1, prompts[:1])[0].tolist()
    return lambda batch: Case(name, batch, model, folder, prompts[:batch], theirs, max_new_tokens)


def compared(setting: Setting, case: Case) -> Iterator[Row]:
    """This engine in each precision beside torch without and with a cache; those that fail say so."""
    rivals = torch_model(setting, case.model)
    builders = {
        precision: lambda precision=precision: with_engine(setting, case, precision) for precision in PRECISIONS
    }
    builders |= {
        CACHE: lambda: with_cache(setting, case, rivals),
        UNCACHED: lambda: without_cache(setting, case, rivals),
    }
    ways: dict[str, Way] = {}
    for name, build in builders.items():
        try:
            ways[name] = build()
            ways[name].begin(), ways[name].write(4)
        except Exception as error:
            ways.pop(name, None)
            yield failed(f"{case.at}: {titled(name)}", error)
    if "fp16" in ways:
        case.opened["fp16"] = ways["fp16"]
    speeds, texts = race(setting, case, ways)
    for name in ways:
        yield told_of(setting, case, name, ways[name], speeds, texts[name])
    goal = AGAINST_CACHE.get(case.name) if case.batch == 1 else None
    if {"fp16", CACHE} <= speeds.keys():
        yield ratio(setting, f"{case.at}: this engine, fp16, against {CACHE}", speeds, CACHE, goal)


def compiled(setting: Setting, case: Case) -> Iterator[Row]:
    """The strongest of torch beside this engine in 16 bits."""
    ways = {
        STATIC: with_static_cache(setting, case),
        "fp16": case.opened.get("fp16") or with_engine(setting, case, "fp16"),
    }
    for way in ways.values():
        way.begin(), way.write(4)
    speeds, texts = race(setting, case, ways)
    yield told_of(setting, case, STATIC, ways[STATIC], speeds, texts[STATIC])
    goal = AGAINST_COMPILED if (case.name, case.batch) == (LARGE, 1) else None
    yield ratio(setting, f"{case.at}: this engine, fp16, against {STATIC}", speeds, STATIC, goal)


def titled(name: str) -> str:
    return name if name.startswith("torch") else f"this engine, {name}"


def ratio(setting: Setting, what: str, speeds: dict[str, float], rival: str, goal: float | None) -> Row:
    found = speeds["fp16"] / speeds[rival]
    met = setting.goal(found >= goal) if goal else None
    return Row(what, f"{found:.2f} ×", f"≥ {goal:g} ×" if goal else "", met, figures={"ratio": found})


def race(setting: Setting, case: Case, ways: dict[str, Way]) -> tuple[dict[str, float], dict[str, list[int]]]:
    """Tokens a second of each, the median of some texts that take turns, and what was written."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[int]] = {}
    for turn in range(1 if setting.rehearsal else ROUNDS):
        for name, way in ways.items():
            if turn and name == UNCACHED:
                continue
            said, first = [], way.begin()
            taken[name].append(
                seconds(setting.device, lambda way=way, said=said: said.extend(way.write(case.max_new_tokens)))
            )
            texts[name] = [first, *said]
    return {name: case.batch * case.max_new_tokens / statistics.median(found) for name, found in taken.items()}, texts


def told_of(setting: Setting, case: Case, name: str, way: Way, speeds: dict[str, float], text: list[int]) -> Row:
    """Speed, share of the limit, and the tokens beside the CPU's."""
    speed = speeds[name]
    size = weight_bytes(case.folder / f"fused.{name}.onnx") if name in PRECISIONS else torch_bytes(case.model, setting)
    share, told = of_limit(setting, case, size, speed)
    same, tokens, gap = against_cpu(case, name, text)
    is_goal = (case.name, case.batch, name) == (LARGE, 1, "fp16")
    goals, met = [], []
    if is_goal:
        goals, met = [f"≥ {OF_LIMIT:g} of the limit"], [setting.goal(share >= OF_LIMIT)]
    if name in TIE:
        goals, met = [*goals, "the CPU's tokens, but for ties"], [*met, same]
    known = [value for value in met if value is not None]
    return Row(
        f"{case.at}: {titled(name)}",
        f"{speed:,.0f} tokens/s; {told}; {tokens}{'; ' + way.about if way.about else ''}",
        ", ".join(goals),
        all(known) if known else None,
        figures={
            "speed": speed,
            "share": share,
            "bytes": size,
            "gap": gap,
            "first": first_difference(text, case.theirs),
        },
    )


def of_limit(setting: Setting, case: Case, weights: int, speed: float) -> tuple[float, str]:
    """Which part of the memory's limit a speed is: every step reads the weights once, and each text's keys and values."""
    bandwidth = setting.card.get("bandwidth")
    if not bandwidth:
        return 0.0, "the limit is not known"
    spec = case.model.spec
    cache = 2 * spec.n_layers * spec.kv_heads * spec.head_dim * 2 * (PROMPT + case.max_new_tokens // 2)  # 16 bits each
    limit = case.batch * bandwidth / (weights + case.batch * cache)
    return speed / limit, f"{speed / limit:.2f} of the memory's limit"


@cache
def weight_bytes(path: Path) -> int:
    """What a step must read of a graph's weights: all that is not looked up row by row."""
    graph = onnx.load(path).graph
    read = {name for node in graph.node if node.op_type not in GATHERED for name in node.input}
    return sum(numpy_helper.to_array(tensor).nbytes for tensor in graph.initializer if tensor.name in read)


def torch_bytes(model: nn.Module, setting: Setting) -> int:
    """The same of the model in torch, in the type that it has there."""
    spec: ModelSpec = model.spec
    total = sum(weight.numel() for weight in model.parameters())
    looked_up = spec.context_length * spec.d_model if spec.position == "learned" else 0
    looked_up += 0 if spec.tie_embeddings else spec.vocab_size * spec.d_model
    return (total - looked_up) * (2 if setting.device == "cuda" else 4)


def against_cpu(case: Case, name: str, text: list[int]) -> tuple[bool, str, float | None]:
    """Whether the tokens are the CPU's, or leave them at a tie; in words; and how far apart the two tokens are there."""
    at = first_difference(text, case.theirs)
    if at is None:
        return True, "the CPU's tokens", None
    before = [*case.prompts[0].tolist(), *case.theirs[:at]]
    with torch.no_grad():
        logits = case.model(torch.tensor([before])).logits[0, -1]
    gap = float((logits[case.theirs[at]] - logits[text[at]]).abs() / logits.abs().max().clamp(min=1))
    tie = gap <= TIE.get(name, 0.0)
    told = (
        f"other tokens than the CPU's from number {at + 1} of {len(text)} on, at logits {gap:.2%} of the largest apart"
    )
    return tie, told + (" (a tie)" if tie else ""), gap


def with_engine(setting: Setting, case: Case, precision: str) -> Way:
    """This engine.

    Raises:
        RuntimeError: when it does not run where it should.
    """
    engine = Engine(case.folder, precision, batch=case.batch, device=setting.device)
    if engine.provider.lower() != setting.device:
        raise RuntimeError(f"ONNX Runtime ran on {engine.provider}: its CUDA provider cannot be loaded")
    writer = engine.model
    why = getattr(engine, "uncaptured_reason", "")
    about = engine.ran_by + (f", no CUDA graph: {why}" if why and setting.device == "cuda" else "")
    return Way(lambda: int(writer.greedy(1, case.prompts)[0, 0]), lambda n: writer.greedy(n)[0].tolist(), about)


def torch_model(setting: Setting, model: nn.Module) -> nn.Module:
    """A copy on the device; in 16 bits on a GPU."""
    made = copy.deepcopy(model).to(setting.device, torch.float16 if setting.device == "cuda" else torch.float32)
    return made.eval().requires_grad_(False)


def with_cache(setting: Setting, case: Case, model: nn.Module) -> Way:
    """As `models` have it: the cache grows in place, every operator is launched on its own."""
    prompts, kept = torch.from_numpy(case.prompts).to(setting.device), {}

    @torch.no_grad()
    def begin() -> int:
        state = model.initial_state(case.batch, PROMPT + case.max_new_tokens + 8)
        kept["state"], kept["ids"] = state, model(prompts, state=state).logits[:, -1:].argmax(-1)
        return int(kept["ids"][0, 0])

    @torch.no_grad()
    def write(n: int) -> list[int]:
        said = []
        for _ in range(n):
            kept["ids"] = model(kept["ids"], state=kept["state"]).logits[:, -1:].argmax(-1)
            said.append(kept["ids"][:1])
        return torch.cat(said, dim=1)[0].tolist()

    return Way(begin, write)


def without_cache(setting: Setting, case: Case, model: nn.Module) -> Way:
    """The whole text is read again for every token; logits of its last one alone."""
    prompts, kept = torch.from_numpy(case.prompts).to(setting.device), {}

    @torch.no_grad()
    def more(ids: torch.Tensor) -> torch.Tensor:
        n = ids.shape[1]
        last = torch.arange(1, case.batch + 1, device=ids.device) * n - 1
        return torch.cat([ids, model(ids, rows=last).logits.argmax(-1)[:, None]], dim=1)

    def begin() -> int:
        kept["ids"] = more(prompts)
        return int(kept["ids"][0, -1])

    def write(n: int) -> list[int]:
        for _ in range(n):
            kept["ids"] = more(kept["ids"])
        return kept["ids"][0, -n:].tolist()

    return Way(begin, write)


def with_static_cache(setting: Setting, case: Case) -> Way:
    """Compiled without a break; on a GPU the compiled step is captured and replayed as one CUDA graph."""
    prompts = torch.from_numpy(case.prompts).to(setting.device)
    decoder = StaticDecoder(
        torch_model(setting, case.model), case.batch, -(-(PROMPT + case.max_new_tokens + 8) // 64) * 64
    )
    backend = "eager" if setting.rehearsal else "inductor"
    step, how = torch.compile(decoder, fullgraph=True, dynamic=False, backend=backend), "compiled"
    decoder.begin(prompts)
    if setting.device == "cuda":
        step, how = captured(step), "compiled, one CUDA graph a token"

    def begin() -> int:
        decoder.begin(prompts)
        return int(decoder.token[0, 0])

    def write(n: int) -> list[int]:
        for _ in range(n):
            step()
        end = int(decoder.place)
        return decoder.said[0, end - n : end].tolist()

    return Way(begin, write, how)


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """A step as one CUDA graph; it is run a few times before, which compiles and warms up."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
