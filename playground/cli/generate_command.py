"""``python -m playground generate RUN --prompt "..."``: let a trained model continue, answer or fill in."""

import argparse
import sys
import time

from playground.cli import engine
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
    engine.add(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.seed is not None and options.seed < 0:
        raise PlaygroundError(f"A seed of {options.seed} cannot be.", "Choose a whole number from 0.")
    folder = RunStore().get(options.target)
    tuned = folder.config().finetune
    if tuned is not None and tuned.reads_labels:
        raise PlaygroundError(
            f"{folder.name} gives labels; it does not write.", f'Try: python -m playground label {folder.id} --text "..."'
        )
    fills = folder.config().training.objective == "mlm"
    if options.beams and fills:
        raise PlaygroundError(f"{folder.name} fills in hidden words; it has no beams.", "Leave out --beams.")
    if options.beams and options.engine == "onnx":
        raise PlaygroundError("Beam search needs PyTorch.", "Leave out --with onnx, or --beams.")
    tokenizer = load_tokenizer(folder)
    if options.beams:
        return search(in_torch(folder, options), tokenizer, folder, options)
    model = engine.engine_of(folder, options.step, options) or in_torch(folder, options, tokenizer.pad_id if fills else None)
    return fill(model, tokenizer, options.prompt) if fills else write(model, tokenizer, folder, options)


def load_tokenizer(folder: RunFolder):
    from playground.text.tokenizers import Tokenizer

    if not folder.tokenizer_path.exists():
        raise PlaygroundError(
            f"{folder.name} has no tokenizer yet.",
            "Train it first: python -m playground train --resume " + folder.id,
        )
    return Tokenizer.load(folder.tokenizer_path)


def in_torch(folder: RunFolder, options: argparse.Namespace, pad_id: int | None = None):
    """The model in PyTorch, asked as an export is: a `TorchWriter`; with a ``pad_id`` a `TorchReader`, which fills in."""
    from playground.generation.torch_model import TorchReader, TorchWriter, placed
    from playground.training.saving import load_model

    model = placed(load_model(folder, options.step), options.device)
    return TorchWriter(model) if pad_id is None else TorchReader(model, pad_id)


def opening(model, tokenizer, folder: RunFolder, options: argparse.Namespace):
    """Where writing starts; and whether the model answers."""
    from playground.generation.predict import open_prompt

    answers = folder.about().get("data_shape") == "pairs"
    return open_prompt(model.about, tokenizer, options.prompt, answers, folder.config().data.template), answers


def write(model, tokenizer, folder: RunFolder, options: argparse.Namespace) -> int:
    """Streams the continuation (or the answer, for models of pairs) and says how fast it was, and by what."""
    from playground.inference.sampling import Sampling

    prompt, answers = opening(model, tokenizer, folder, options)
    usual = 0.0 if answers or options.greedy else 0.8
    temperature = usual if options.temperature is None or options.greedy else options.temperature
    sampling = Sampling(temperature, options.top_k, options.top_p, options.min_p, options.repetition_penalty)
    written, printed = [], ""
    print("" if prompt.hidden else options.prompt, end="", flush=True)
    start = time.perf_counter()
    stop = (tokenizer.eos_id,)
    for token in model.generate(prompt.ids, options.tokens, sampling, options.seed, stop, prompt.source):
        written.append(token)
        text = tokenizer.decode(written)
        if not text.endswith("\ufffd"):  # half of a character: its other bytes are still to come
            print(text[len(printed) :], end="", flush=True)
            printed = text
    seconds = time.perf_counter() - start
    print()
    if written:
        print(f"[{len(written)} tokens, {len(written) / seconds:,.0f} tokens/s by {engine.ran_by(model)}]", file=sys.stderr)
    return 0


def search(model, tokenizer, folder: RunFolder, options: argparse.Namespace) -> int:
    """The likeliest continuation as a whole: beam search, which is PyTorch's alone."""
    from models.decode import beam

    prompt, _ = opening(model, tokenizer, folder, options)
    stop = (tokenizer.eos_id,)
    best, _ = beam(model.model, prompt.ids, options.tokens, options.beams, stop_ids=stop, source_ids=prompt.source)[0]
    print(tokenizer.decode([token for token in best if token not in stop]))
    print(f"[beam search by {model.ran_by}]", file=sys.stderr)
    return 0


def fill(model, tokenizer, prompt: str) -> int:
    """For each ``<mask>``, the five likeliest tokens."""
    from playground.generation.blanks import fill as fill_blanks

    ids = tokenizer.encode(prompt, specials=True)
    blanks = fill_blanks(model, ids, (), tokenizer.mask_id, n=5, frame=tokenizer.frame) if tokenizer.mask_id in ids else []
    if not blanks:
        raise PlaygroundError(
            "This model fills in hidden words, and the text hides none.",
            f'For example: --prompt "the {MASK} of the list".',
        )
    for blank in blanks:
        row = "  ".join(f"{tokenizer.pieces([i])[0]!r} {p:.1%}" for i, p in blank.likeliest)
        print(f"{MASK} at token {blank.place + 1}: {row}")
        ids[blank.place] = blank.likeliest[0][0]
    print(tokenizer.decode(ids))
    print(f"[filled in by {model.ran_by}]", file=sys.stderr)
    return 0
