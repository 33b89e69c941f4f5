"""How soon is what a model writes readable? The model and the text that the app begins with, beside nanoGPT's recipe.

Both learn little stories, trained by the real worker in turns of a few steps, so that both see the same machine. A text is
called readable where the validation loss is at most ``READABLE``: from there on the sentences of a sample are whole
(``The cat was hungry, so it crept into the barn.``), above it they are not (``The cat? The kite is the kitchen.``).
"""

from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.training.recipes import recipe
from playground.ui.model_draft import START, USUAL

READABLE = 1.1  # nats per word: a choice between e^1.1 = 3 words
NANOGPT, NANOGPT_STEPS = "gpt2-tiny", 2000  # the steps of nanoGPT's recipe for CPUs, which its schedule reckons with
STEPS = 300  # the schedule is told to arrive in time
EVERY, TURN = 10, 40  # steps


def measure() -> list[tuple]:
    from models.presets import PRESETS
    from playground.training import worker

    common = {"eval_every": EVERY, "eval_batches": 5, "sample_every": 0, "checkpoint_seconds": 1e6}
    runs = {
        name: RunStore().create(
            RunConfig(name, PRESETS[name].spec, USUAL["en"], recipe(name, steps=steps, **common), name)
        )
        for name, steps in ((START, STEPS), (NANOGPT, NANOGPT_STEPS))
    }
    limits = {START: STEPS, NANOGPT: NANOGPT_STEPS}
    reached: dict[str, dict] = {}
    for upto in range(TURN, NANOGPT_STEPS + 1, TURN):
        for name in set(runs) - set(reached):
            if upto <= limits[name]:
                _train_on(worker, runs[name], min(upto, limits[name] - 1))
                row = next((row for row in _evaluations(runs[name]) if row["val_loss"] <= READABLE), None)
                reached |= {name: row} if row else {}
    ours, theirs = reached.get(START), reached.get(NANOGPT)
    what = f"validation loss ≤ {READABLE} nats per word on little stories"
    if ours is None or theirs is None:
        return [(f"{START}: {what}", "not reached", "≤ 20 s", False)]
    ratio = ours["seconds"] / theirs["seconds"]
    said = {
        name: f"{row['seconds']:.1f} s (step {row['step']}, {row['tokens']:,} tokens)" for name, row in reached.items()
    }
    return [
        (f"{START}, the app's default: {what}", said[START], "≤ 20 s", ours["seconds"] <= 20),
        (f"{NANOGPT}, nanoGPT's recipe: the same", said[NANOGPT], "", None),
        (f"{START} ÷ nanoGPT's recipe: seconds", f"{ratio:.3f} ×", "≤ 0.333 ×", ratio <= 1 / 3),
    ]


def _train_on(worker, folder, step: int) -> None:
    """Trains on to a step and pauses there."""

    def pause(kind, value) -> None:
        if kind == "metrics" and value[-1]["step"] >= step:
            folder.request("pause")

    folder.clear_requests()
    if folder.status().step < step and worker.run(folder, pause) == "failed":
        raise RuntimeError(folder.status().message)


def _evaluations(folder) -> list[dict]:
    return [row for row in folder.metrics()[0] if row["kind"] == "eval"]
