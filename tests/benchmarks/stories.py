"""How soon is what a model writes readable? The model and the text that the app begins with, beside nanoGPT's recipe.

Both learn little stories, trained by the real worker in turns of a few steps, so that both see the same machine. A text is
called readable where the validation loss is at most ``READABLE``. That this is so is measured too: of the sentences that a
model writes there, the share that the grammar of the stories tells word for word, among so many stories that they hold nearly
every sentence of unseen ones. The loss ``EARLIER`` is shown beside it, without a goal.
"""

import re

from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.training.recipes import recipe
from playground.ui.model_draft import START, USUAL

READABLE = 1.0  # nats per word: three sentences of four are the grammar's, such as "Jack went to the field."
EARLIER = 1.1  # a third of them are still such as "The dog barked, then it to him."
NANOGPT, NANOGPT_STEPS = "gpt2-tiny", 2000  # the steps of nanoGPT's recipe for CPUs, which its schedule reckons with
STEPS = 300  # the schedule is told to arrive in time
EVERY, TURN = 10, 20  # steps
STORIES, UNSEEN, SEED = 200_000, 2_000, 1_000_003  # told to judge by; told to judge the judge; no corpus has this seed
SAMPLES, TOKENS, TEMPERATURE = 60, 60, 0.8  # as the samples are drawn that are shown while a model learns
SENTENCE = re.compile(r"[^.?!\n]+[.?!]")


def measure() -> list[tuple]:
    runs = {name: _run(name, steps) for name, steps in ((START, STEPS), (NANOGPT, NANOGPT_STEPS))}
    limits = {START: STEPS, NANOGPT: NANOGPT_STEPS}
    ahead = set(runs)
    for upto in range(TURN, NANOGPT_STEPS + 1, TURN):
        for name in sorted(ahead):
            if upto <= limits[name]:
                _train_on(runs[name], min(upto, limits[name] - 1))
                if _first(runs[name], READABLE):
                    ahead.discard(name)
    what = f"validation loss ≤ {READABLE:.1f} nats per word on little stories"
    if ahead:
        return [(f"{' and '.join(sorted(ahead))}: {what}", "not reached", "≤ 20 s", False)]
    ours, theirs = _first(runs[START], READABLE), _first(runs[NANOGPT], READABLE)
    ratio = ours["seconds"] / theirs["seconds"]
    earlier = [_first(folder, EARLIER)["seconds"] for folder in runs.values()]
    return [
        (f"{START}, the app's default: {what}", _said(ours), "≤ 20 s", ours["seconds"] <= 20),
        (f"{NANOGPT}, nanoGPT's recipe: the same", _said(theirs), "", None),
        (f"{START} ÷ nanoGPT's recipe: seconds", f"{ratio:.3f} ×", "≤ 0.333 ×", ratio <= 1 / 3),
        (
            f"the same to a loss of {EARLIER}, where fewer sentences are whole",
            f"{earlier[0]:.1f} s and {earlier[1]:.1f} s: {earlier[0] / earlier[1]:.3f} ×",
            "",
            None,
        ),
        *_judged(runs),
    ]


def _run(name: str, steps: int):
    from models.presets import PRESETS

    training = recipe(name, steps=steps, eval_every=EVERY, eval_batches=5, sample_every=0, checkpoint_seconds=1e6)
    return RunStore().create(RunConfig(name, PRESETS[name].spec, USUAL["en"], training, name))


def _said(row: dict) -> str:
    return f"{row['seconds']:.1f} s (step {row['step']}, {row['tokens']:,} tokens)"


def _train_on(folder, step: int) -> None:
    """Trains on to a step and pauses there."""
    from playground.training import worker

    def pause(kind, value) -> None:
        if kind == "metrics" and value[-1]["step"] >= step:
            folder.request("pause")

    folder.clear_requests()
    if folder.status().step < step and worker.run(folder, pause) == "failed":
        raise RuntimeError(folder.status().message)


def _evaluations(folder) -> list[dict]:
    return [row for row in folder.metrics()[0] if row["kind"] == "eval"]


def _first(folder, loss: float) -> dict | None:
    """The first evaluation at or under a loss."""
    return next((row for row in _evaluations(folder) if row["val_loss"] <= loss), None)


def _judged(runs: dict) -> list[tuple]:
    """How much of what the paused models write the grammar tells, and how much of unseen stories."""
    from playground.text.stories.open import LANGUAGES, stories

    text = LANGUAGES[USUAL["en"].corpus].text
    told = lambda n, seed: (text(story) for story in stories(USUAL["en"].corpus, n, seed))
    known = {sentence for story in told(STORIES, SEED) for sentence in _sentences(story)}
    share = lambda texts: [sentence in known for each in texts for sentence in _sentences(each)]
    rows = []
    for name, texts in (*((name, _written(folder)) for name, folder in runs.items()), ("", told(UNSEEN, SEED + 1))):
        found = share(texts)
        where = f"{name} at step {_evaluations(runs[name])[-1]['step']}" if name else "unseen stories"
        rows.append((f"whole sentences, {where}", f"{sum(found) / len(found):.0%} of {len(found):,}", "", None))
    return rows


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in SENTENCE.findall(text)]


def _written(folder) -> list[str]:
    """What a model writes after "The"; the last sentence, which may be cut off, has no full stop and does not count."""
    from playground.cli.generate_command import load_tokenizer
    from playground.generation.torch_model import TorchGenerator
    from playground.inference.sampling import Sampling
    from playground.training.load_model import load_model

    tokenizer, model = load_tokenizer(folder), TorchGenerator(load_model(folder))
    begun, sampling = tokenizer.encode("The"), Sampling(temperature=TEMPERATURE)
    return [tokenizer.decode([*begun, *model.generate(begun, TOKENS, sampling, seed=seed)]) for seed in range(SAMPLES)]
