"""Training tokens per second through the real trainer, beside a bare torch loop, eager and compiled; in short turns, so that
all meet the same card. The tiny presets, GPT-2's 124 M, the small ones, and then some of them compiled, while there is time."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from models.costs import flops_per_token
from models.presets import PRESETS
from playground.core.paths import home
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.prepare import Prepared, prepare
from playground.text.spec import DataSpec
from playground.training.device import choose_device
from playground.training.recipes import NANOGPT, recipe
from playground.training.trainer import Trainer
from tests.benchmarks.gpu import sizes
from tests.benchmarks.gpu.bare_loops import Run, bare_loop, nanogpt_loop
from tests.benchmarks.gpu.rows import Row, Setting, attempt, skipped, tidy
from tests.benchmarks.gpu.timing import seconds, wait
from tests.benchmarks.text import characters
from tests.benchmarks.throughput import our_steps

TURNS, TURN, WARM = 5, 0.2, 8  # turns of each, seconds of one, and steps before
GOALS = {"tiny": 5.0, "small": 2.0}  # × the bare eager loop
LARGE, LARGE_SHARE = "GPT-2, 124 M", 0.40
COMPILED = ("gpt2-tiny", "gpt2-small", "llama-small", "modern-tiny")
QUICK, LONG = 3.0, 45.0  # seconds that a comparison takes: eager, with compiling
ENDLESS = {"steps": 10**6, "eval_every": 10**6, "sample_every": 0, "checkpoint_seconds": 1e6, "eval_batches": 1}


def measure(setting: Setting) -> Iterator[Row]:
    data = {False: prepare(characters()), True: prepare(DataSpec("task-dates"))}
    sized = {size: [name for name in PRESETS if name.endswith(size)] for size in GOALS}
    work = [(f"training, {name}", QUICK, eager, name) for name in sized["tiny"]]
    work += [(f"training, {LARGE}", LONG, large, LARGE)]
    work += [(f"training, {name}", QUICK, eager, name) for name in sized["small"]]
    work += [
        (f"training, {name}, compiled", LONG / 2, compiled, name)
        for name in COMPILED[: 1 if setting.rehearsal else None]
    ]
    for what, least, measured, name in work:
        if setting.left() < least:
            yield skipped(what, "no time was left")
        else:
            yield from attempt(
                what, measured, setting, what, name, data[name in PRESETS and PRESETS[name].spec.reads_pairs]
            )


@contextlib.contextmanager
def new_trainer(setting: Setting, name: str, prepared: Prepared, training: TrainingSpec) -> Iterator[Trainer]:
    """The app's own, ready to take steps; its thread and its graphs end with it."""
    spec = sizes.GPT2_124M if name == LARGE else PRESETS[name].spec
    spec = sizes.sized(spec, setting).replace(vocab_size=prepared.tokenizer.size)
    config = RunConfig(name, spec, prepared.spec, training, None if name == LARGE else name)
    folder = RunStore().create(config)
    folder.update_status(state="running")
    trainer = Trainer(folder, config, prepared, choose_device(training))
    trainer.model.train()
    try:
        yield trainer
    finally:
        trainer.close()


def chosen(setting: Setting, name: str, compile: str) -> TrainingSpec:
    size = {"batch_size": 4} if setting.rehearsal else {}
    return recipe(name, **ENDLESS, **size, device=setting.device, compile=compile)


def steps_of(trainer: Trainer) -> Run:
    """The trainer's own steps."""
    return lambda steps: our_steps(trainer, steps)


def rate(setting: Setting, run: Run, steps: int) -> float:
    """Tokens a second, from an idle device to an idle device."""
    wait(setting.device)
    began = time.perf_counter()
    tokens = run(steps)
    wait(setting.device)
    return tokens / (time.perf_counter() - began)


def warmed(setting: Setting, run: Run) -> int:
    """How many steps fill a turn, after some that compile, capture and warm up."""
    if setting.rehearsal:
        run(2)
        return 2
    run(WARM)
    taken = seconds(setting.device, lambda: run(WARM)) / WARM
    steps = max(4, min(2000, round(TURN / taken)))
    run(steps)  # batches of other shapes may come
    return steps


def race(setting: Setting, ways: dict[str, Run]) -> dict[str, float]:
    """Tokens a second of each: the median of turns that alternate."""
    steps = {name: warmed(setting, run) for name, run in ways.items()}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 if setting.rehearsal else TURNS):
        for name, run in ways.items():
            rates[name].append(rate(setting, run, steps[name]))
    return {name: statistics.median(found) for name, found in rates.items()}


class Memory:
    """The most that was allocated on the card since this began, beyond what there was."""

    def __init__(self, setting: Setting) -> None:
        self.cuda = setting.device == "cuda"
        if self.cuda:
            tidy()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()

    def peak(self) -> float:
        """In GB; 0 on a CPU."""
        return (torch.cuda.max_memory_allocated() - self.before) / 1e9 if self.cuda else 0.0


def share(setting: Setting, trainer: Trainer, speed: float) -> tuple[float, str]:
    """Which part of the card's bfloat16 peak so many tokens per second are: of the measured one, and in words of both."""
    rates = speed * flops(trainer) / 1e12
    peak, sheet = (setting.card.get(name) for name in ("bf16_tflops", "sheet_tflops"))
    told = f"{rates:,.2f} TFLOP/s"
    told += f", {rates / peak:.1%} of the measured bf16 peak" if peak else ""
    told += f", {rates / sheet:.1%} of the data sheet's" if sheet else ""
    return rates / peak if peak else 0.0, told


def flops(trainer: Trainer) -> float:
    """Of learning from one token that the progress counts, as `models.flops_per_token` counts them.

    A masked model makes logits of the hidden tokens alone; of a pair, source and target tokens are counted, each costing
    about half of what a token of both costs.
    """
    spec, training = trainer.config.model, trainer.training
    whole = flops_per_token(spec)
    if spec.reads_pairs:
        return flops_per_token(spec, spec.context_length // 2).training / 2
    if training.objective == "mlm":
        unasked = 2 * spec.vocab_size * spec.d_model * (1 - training.mask_rate)
        return 3 * (whole.forward - unasked)
    return whole.training


def eager(setting: Setting, what: str, name: str, prepared: Prepared) -> Iterator[Row]:
    """A preset as the app trains it when a run is short (not compiled), beside the bare eager loop."""
    memory = Memory(setting)
    with new_trainer(setting, name, prepared, chosen(setting, name, "off")) as trainer:
        ours = steps_of(trainer)
        warmed(setting, ours)
        held, memory = memory.peak(), Memory(setting)
        theirs = bare_loop(trainer)
        warmed(setting, theirs)
        held_bare = memory.peak()
        speeds = race(setting, {"ours": ours, "bare": theirs})
        ratio, goal = speeds["ours"] / speeds["bare"], GOALS[name.rpartition("-")[2]]
        part, told = share(setting, trainer, speeds["ours"])
        yield Row(
            what,
            f"{speeds['ours']:,.0f} tokens/s, {ratio:.2f} × bare eager ({speeds['bare']:,.0f}); {told}; "
            f"{held:.2f} GB (bare {held_bare:.2f} GB); {trainer.device.describe()}",
            f"≥ {goal:g} × bare eager",
            setting.goal(ratio >= goal),
            figures={**speeds, "ratio": ratio, "share": part, "gigabytes": held, "bare_gigabytes": held_bare},
        )


def compiled(setting: Setting, what: str, name: str, prepared: Prepared) -> Iterator[Row]:
    """A preset as the app trains it when a run is long (compiled), beside the bare compiled loop."""
    training = chosen(setting, name, "off" if setting.rehearsal else "on")
    with new_trainer(setting, name, prepared, training) as trainer:
        speeds = race(setting, {"ours": steps_of(trainer), "bare": bare_loop(trainer, backend(setting))})
        ratio = speeds["ours"] / speeds["bare"]
        part, told = share(setting, trainer, speeds["ours"])
        said = f"{speeds['ours']:,.0f} tokens/s, {ratio:.2f} × bare compiled ({speeds['bare']:,.0f}); {told}"
        yield Row(what, f"{said}; {trainer.device.describe()}", figures={**speeds, "ratio": ratio, "share": part})


def backend(setting: Setting) -> str:
    return "eager" if setting.rehearsal else "inductor"  # a rehearsal has no time for a compiler


def large(setting: Setting, what: str, name: str, prepared: Prepared) -> Iterator[Row]:
    """GPT-2's 124 M, compiled: first alone, then beside nanoGPT's loop and the bare eager one."""
    vocabulary = sizes.sized(sizes.GPT2_124M, setting).vocab_size
    prepared = sizes.made_up_text(home() / "made-up", vocabulary, 20_000 if setting.rehearsal else 4_000_000)
    memory = Memory(setting)
    training = NANOGPT.replace(
        **ENDLESS,
        lr=6e-4,
        beta2=0.95,
        batch_size=large_batch(setting),
        device=setting.device,
        compile="off" if setting.rehearsal else "on",
    )
    with new_trainer(setting, name, prepared, training) as trainer:
        ours = steps_of(trainer)
        speed = race(setting, {"ours": ours})["ours"]
        part, told = share(setting, trainer, speed)
        held = memory.peak()
        size = f"batch {training.batch_size} × {trainer.config.model.context_length}"
        yield Row(
            what,
            f"{speed:,.0f} tokens/s ({size}); {told}; {held:.1f} GB; {trainer.device.describe()}",
            f"≥ {LARGE_SHARE:.0%} of the measured bf16 peak",
            setting.goal(part >= LARGE_SHARE),
            figures={"ours": speed, "share": part, "gigabytes": held},
        )
        yield from beside(setting, what, trainer, ours)


def large_batch(setting: Setting) -> int:
    """nanoGPT's recipe has 12 sequences in a micro-batch on a card of 40 GB; as many as this card holds twice."""
    gigabytes = setting.card.get("memory", 0) / 1e9
    return 16 if gigabytes > 60 else 8 if gigabytes > 30 else 4


def beside(setting: Setting, what: str, trainer: Trainer, ours: Run) -> Iterator[Row]:
    """The rivals of the large model, one after the other: each takes its turns with ours."""
    ways = {
        "nanoGPT's loop, compiled": lambda: nanogpt_loop(trainer, backend(setting)),
        "bare eager": lambda: bare_loop(trainer),
    }
    for rival, build in ways.items():
        title = f"{what}, beside {rival}"
        goal = "≥ 1 ×" if rival.startswith("nanoGPT") else ""
        if setting.left() < QUICK:
            yield skipped(title, "no time was left", goal)
            continue
        yield from attempt(title, against, setting, title, ours, build, goal, goal=goal)


def against(setting: Setting, what: str, ours: Run, build: Callable[[], Run], goal: str) -> Row:
    memory = Memory(setting)
    theirs = build()
    warmed(setting, theirs)
    held = memory.peak()
    speeds = race(setting, {"ours": ours, "theirs": theirs})
    ratio = speeds["ours"] / speeds["theirs"]
    told = f"{ratio:.2f} × ({speeds['ours']:,.0f} against {speeds['theirs']:,.0f} tokens/s, which takes {held:.1f} GB)"
    return Row(what, told, goal, setting.goal(ratio >= 1) if goal else None, figures={**speeds, "gigabytes": held})
