"""``python -m playground generate RUN --prompt "..."``: let a trained model continue, answer or fill in."""

import argparse
import sys
import time

from playground.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore

MASK = "<mask>"


def add(commands) -> None:
    parser = commands.add_parser("generate", help="let a trained model write, answer or fill in")
    parser.add_argument("target", metavar="RUN", help="a run's id, its beginning, its name, or 'latest'")
    parser.add_argument(
        "--prompt", default="", help=f"what to continue or to answer; with {MASK} places for MLM models"
    )
    parser.add_argument("--tokens", type=int, default=200, help="how many tokens at most (default 200)")
    parser.add_argument(
        "--temperature", type=float, help="0 is greedy (default 0.8; 0 for models that answer)"
    )
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--min-p", type=float, default=0.0)
    parser.add_argument("--repetition-penalty", type=float, default=1.0)
    parser.add_argument("--greedy", action="store_true", help="always the most likely token")
    parser.add_argument("--beams", type=int, default=0, help="beam search with so many beams")
    parser.add_argument("--seed", type=int, help="the same seed writes the same text")
    parser.add_argument("--step", type=int, help="which checkpoint; without it, the latest")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import torch

    from playground.training.saving import load_model

    folder = RunStore().get(options.target)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, options.step)
    with torch.inference_mode():
        if folder.config().training.objective == "mlm":
            return fill(model, tokenizer, options.prompt)
        return write(model, tokenizer, folder, options)


def load_tokenizer(folder: RunFolder):
    from playground.text.tokenizers import Tokenizer

    if not folder.tokenizer_path.exists():
        raise PlaygroundError(
            f"{folder.name} has no tokenizer yet.",
            "Train it first: python -m playground train --resume " + folder.id,
        )
    return Tokenizer.load(folder.tokenizer_path)


def write(model, tokenizer, folder: RunFolder, options: argparse.Namespace) -> int:
    """Streams the continuation (or the answer, for models of pairs) and says how fast it was."""
    import numpy as np

    from models.decode import beam, decode
    from playground.inference.sampling import Sampling, choose

    answers = folder.about().get("data_shape") == "pairs"
    usual = 0.0 if answers or options.greedy else 0.8
    temperature = usual if options.temperature is None or options.greedy else options.temperature
    sampling = Sampling(temperature, options.top_k, options.top_p, options.min_p, options.repetition_penalty)
    prompt = tokenizer.encode(options.prompt)
    generator = np.random.default_rng(options.seed)
    ids, source = opening(model, tokenizer, prompt, answers)
    stop = (tokenizer.eos_id,)
    start = time.perf_counter()
    if options.beams:
        best, _ = beam(model, ids, options.tokens, options.beams, stop_ids=stop, source_ids=source)[0]
        print(tokenizer.decode([token for token in best if token not in stop]))
        return 0
    seen, printed = list(ids), ""
    pick = lambda logits: choose(logits, sampling, generator, seen)
    written: list[int] = []
    print(options.prompt if source is None and ids == prompt else "", end="", flush=True)
    for token in decode(model, ids, options.tokens, pick, stop, source_ids=source):
        seen.append(token)
        if token in stop:
            break
        written.append(token)
        text = tokenizer.decode(written)
        if not text.endswith("\ufffd"):  # half of a character: its other bytes are still to come
            print(text[len(printed) :], end="", flush=True)
            printed = text
    seconds = time.perf_counter() - start
    print()
    if written:
        print(
            f"[{len(written)} tokens, {len(written) / seconds:,.0f} tokens/s on the CPU with PyTorch]",
            file=sys.stderr,
        )
    return 0


def opening(model, tokenizer, prompt: list[int], answers: bool) -> tuple[list[int], list[int] | None]:
    """What the decoder starts from, and what an encoder reads."""
    if model.spec.architecture == "encoder-decoder":
        if not prompt:
            raise PlaygroundError("This model answers a text, and there is none.", 'Add --prompt "...".')
        return [tokenizer.bos_id], prompt[-model.spec.context_length :]
    if answers:
        return [*prompt, tokenizer.bos_id], None
    return prompt or [tokenizer.eos_id], None


def fill(model, tokenizer, prompt: str) -> int:
    """For each ``<mask>``, the five likeliest tokens."""
    import torch

    parts = prompt.split(MASK)
    if len(parts) == 1:
        raise PlaygroundError(
            "This model fills in hidden words, and the text hides none.",
            f'For example: --prompt "the {MASK} of the list".',
        )
    ids: list[int] = []
    for index, part in enumerate(parts):
        ids += ([tokenizer.mask_id] if index else []) + tokenizer.encode(part)
    if len(ids) > model.spec.context_length:
        raise PlaygroundError(
            f"The text has {len(ids)} tokens; this model reads {model.spec.context_length}.", "Shorten it."
        )
    probabilities = model(torch.tensor([ids])).logits[0].float().softmax(-1)
    for place in (i for i, token in enumerate(ids) if token == tokenizer.mask_id):
        best = probabilities[place].topk(5)
        row = "  ".join(
            f"{tokenizer.pieces([i])[0]!r} {p:.1%}"
            for p, i in zip(best.values.tolist(), best.indices.tolist())
        )
        print(f"{MASK} at token {place + 1}: {row}")
    filled = [
        int(probabilities[i].argmax()) if token == tokenizer.mask_id else token for i, token in enumerate(ids)
    ]
    print(tokenizer.decode(filled))
    return 0
