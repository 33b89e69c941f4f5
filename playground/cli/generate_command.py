"""``python -m playground generate RUN --prompt "..."``: let a trained model continue, answer or fill in."""

import argparse
import sys
import time

from playground.cli import engine
from playground.cli.checkpoint import TARGET, at_step
from playground.cli.old_flags import add_old_flag
from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.settings import flag, given

MASK = "<mask>"
MAX_NEW_TOKENS, MOST_TOKENS, MOST_BEAMS = 200, 1_000_000, 256
CHANCE = ("temperature", "top_k", "top_p", "min_p")  # options that have no meaning where nothing is drawn


def add(commands) -> None:
    parser = commands.add_parser("generate", help="let a trained model write, answer or fill in")
    parser.add_argument("target", metavar="RUN[@STEP]", help=TARGET)
    parser.add_argument(
        "--prompt", default="", help=f"what to continue or to answer; with {MASK} where an MLM model fills in"
    )
    parser.add_argument(
        "--max-new-tokens", type=int, help=f"how many tokens to write at most (default {MAX_NEW_TOKENS})"
    )
    add_old_flag(parser, "--tokens", "--max-new-tokens", type=int)
    parser.add_argument("--temperature", type=float, help="0 is greedy (default 0.8; 0 for models that answer)")
    parser.add_argument("--top-k", type=int, help="sample from the k most likely tokens")
    parser.add_argument(
        "--top-p", type=float, help="sample from the most likely tokens whose probabilities add up to this value"
    )
    parser.add_argument(
        "--min-p", type=float, help="sample from tokens with at least this fraction of the highest probability"
    )
    parser.add_argument(
        "--repetition-penalty", type=float, help="above 1: tokens that already occur in the text become less likely"
    )
    parser.add_argument("--greedy", action="store_true", help="always the most likely token")
    parser.add_argument("--beams", type=int, help="number of beams for beam search; 1 is greedy")
    parser.add_argument("--seed", type=int, help="the same seed writes the same text")
    parser.add_argument("--step", type=int, help="step of the checkpoint (default: the latest)")
    engine.add(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    _check_numbers(options)
    folder, options.step = at_step(options)
    tuned = folder.config().finetune
    if tuned is not None and tuned.reads_labels:
        raise PlaygroundError(
            f"{folder.name} gives labels; it does not write.",
            f'Try: python -m playground label {folder.id} --text "..."',
        )
    fills = folder.config().training.objective == "mlm"
    _check_use(options, folder, fills)
    tokenizer = load_tokenizer(folder)
    if options.beams is not None:
        return search(in_torch(folder, options), tokenizer, folder, options)
    model = engine.engine_of(folder, options.step, options) or in_torch(
        folder, options, tokenizer.pad_id if fills else None
    )
    return fill(model, tokenizer, options.prompt) if fills else write(model, tokenizer, folder, options)


def _check_numbers(options: argparse.Namespace) -> None:
    for name, least, most in (("max_new_tokens", 1, MOST_TOKENS), ("beams", 1, MOST_BEAMS)):
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise PlaygroundError(
                f"{flag(options, name)} cannot be {value:,}.", f"Choose a whole number from {least} to {most:,}."
            )
    if options.seed is not None and options.seed < 0:
        raise PlaygroundError(f"A seed of {options.seed} cannot be.", "Choose a whole number from 0.")
    sampling_of(options, 1.0)


def _check_use(options: argparse.Namespace, folder: RunFolder, fills: bool) -> None:
    """Nothing that was written may be passed over in silence."""
    if fills:
        unread = given(options, "max_new_tokens", *CHANCE, "repetition_penalty", "greedy", "beams", "seed")
        why = f"{folder.name} fills in hidden words"
    elif options.beams is not None:
        unread = given(options, *CHANCE, "repetition_penalty", "greedy", "seed")
        why = "Beam search looks for the most likely text"
        if options.engine == "onnx":
            raise PlaygroundError("Beam search needs PyTorch.", "Leave out --with onnx, or --beams.")
    elif options.greedy:
        unread, why = given(options, *CHANCE, "seed"), "--greedy always takes the most likely token"
    else:
        return
    if unread:
        raise PlaygroundError(f"{why}, so {', '.join(unread)} would change nothing.", f"Leave out {', '.join(unread)}.")


def sampling_of(options: argparse.Namespace, usual: float):
    """How tokens are drawn; at ``usual`` temperature where nothing is said."""
    from playground.inference.sampling import Sampling

    said = {name: getattr(options, name) for name in (*CHANCE, "repetition_penalty")}
    return Sampling(**{"temperature": usual, **{name: value for name, value in said.items() if value is not None}})


def load_tokenizer(folder: RunFolder):
    from playground.text.tokenizers import Tokenizer

    if not folder.tokenizer_path.exists():
        raise PlaygroundError(
            f"{folder.name} has no tokenizer yet.",
            "Train it first: python -m playground train --resume " + folder.id,
        )
    return Tokenizer.load(folder.tokenizer_path)


def in_torch(folder: RunFolder, options: argparse.Namespace, pad_id: int | None = None):
    """The model in PyTorch, asked as an export is: a `TorchGenerator`; with a ``pad_id`` a `TorchEncoder`, which fills in."""
    from models.language_model import LanguageModel
    from playground.generation.torch_model import TorchEncoder, TorchGenerator, placed
    from playground.training.load_model import load_model

    model = placed(load_model(folder, options.step), options.device)
    if pad_id is not None:
        return TorchEncoder(model, pad_id)
    assert isinstance(model, LanguageModel)  # `run` refuses one that gives labels
    return TorchGenerator(model)


def opening(model, tokenizer, folder: RunFolder, options: argparse.Namespace):
    """Where writing starts; and whether the model answers."""
    from playground.generation.predict import open_prompt

    answers = folder.about().get("data_shape") == "pairs"
    return open_prompt(model.about, tokenizer, options.prompt, answers, folder.config().data.template), answers


def write(model, tokenizer, folder: RunFolder, options: argparse.Namespace) -> int:
    """Streams the continuation (or the answer, for models of pairs) and says how fast it was, and by what."""
    prompt, answers = opening(model, tokenizer, folder, options)
    sampling = sampling_of(options, 0.0 if answers or options.greedy else 0.8)
    if sampling.temperature == 0 and (unread := given(options, *CHANCE[1:])):
        raise PlaygroundError(
            f"At temperature 0 the most likely token is always taken, so {', '.join(unread)} would change nothing.",
            "Choose a --temperature above 0, such as 0.8.",
        )
    written, printed = [], ""
    print("" if prompt.hidden else options.prompt, end="", flush=True)
    start = time.perf_counter()
    stop = (tokenizer.eos_id,)
    for token in model.generate(
        prompt.ids, options.max_new_tokens or MAX_NEW_TOKENS, sampling, options.seed, stop, prompt.source
    ):
        written.append(token)
        text = prompt.following(tokenizer.decode(written))
        if not text.endswith("\ufffd"):  # half of a character: its other bytes are still to come
            print(text[len(printed) :], end="", flush=True)
            printed = text
    seconds = time.perf_counter() - start
    print(prompt.following(tokenizer.decode(written))[len(printed) :])  # half of a character too, where no more comes
    if written:
        n = f"{len(written):,} token{'s' if len(written) > 1 else ''}"
        print(f"[{n}, {len(written) / seconds:,.0f} tokens/s by {engine.ran_by(model)}]", file=sys.stderr)
    return 0


def search(model, tokenizer, folder: RunFolder, options: argparse.Namespace) -> int:
    """The most likely continuation as a whole: beam search, which is PyTorch's alone."""
    from models.generate import beam

    prompt, _ = opening(model, tokenizer, folder, options)
    stop = (tokenizer.eos_id,)
    n = options.max_new_tokens or MAX_NEW_TOKENS
    best, _ = beam(model.model, prompt.ids, n, options.beams, stop_ids=stop, source_ids=prompt.source)[0]
    print(("" if prompt.hidden else options.prompt) + prompt.following(tokenizer.decode(best)))
    print(f"[beam search by {model.ran_by}]", file=sys.stderr)
    return 0


def fill(model, tokenizer, prompt: str) -> int:
    """For each ``<mask>``, the five most likely tokens."""
    from playground.generation.fill_mask import fill as fill_blanks

    ids = tokenizer.encode(prompt, specials=True)
    blanks = (
        fill_blanks(model, ids, (), tokenizer.mask_id, n=5, frame=tokenizer.frame) if tokenizer.mask_id in ids else []
    )
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
