"""The text that an export begins with, in its README, its demo page and its example: one that the model was made for."""

from collections.abc import Collection, Sequence

from playground.core import jsonl
from playground.runs.samples import opening_text

MASK = "<mask>"  # as a person types it
LONGEST = 40  # tokens of a sample
FILL_IN = f"The {MASK} of the"


def first_text(samples: Sequence[jsonl.Row], fills: bool, specials: Collection[str] = ()) -> str:
    """What the model's last sample began with: the beginning of a text, a question, a text to label, or one that hides a word.

    Args:
        samples: those of the run, the oldest first.
        fills: for a model that fills in: the text has a ``<mask>``.
        specials: what special tokens show as; a sample has them around its text.
    """
    text = opening_text(samples)
    if fills:
        return text if MASK in text else _with_hidden_word(samples, specials)
    row = next((row for row in reversed(samples) if row.get("examples") or row.get("prompt")), {})
    return text if row.get("examples") else text.rstrip() or text  # a space at the end would be a token of its own


def _with_hidden_word(samples: Sequence[jsonl.Row], specials: Collection[str]) -> str:
    """The last sample's tokens with one whole word hidden, of those that it hid itself where it hid one."""
    row = next((row for row in reversed(samples) if row.get("tokens")), None)
    if row is None:
        return FILL_IN
    tokens = ["" if token in specials else token for token in row["tokens"][:LONGEST]]
    words = [i for i, token in enumerate(tokens) if i and _is_word(tokens, i)] or [
        i for i, token in enumerate(tokens) if token.strip()
    ]
    hidden = [i for i in words if i in row.get("blanks", ())] or words[len(words) // 2 :]
    if not hidden:
        return FILL_IN
    token = tokens[hidden[0]]
    space = token[: len(token) - len(token.lstrip())]
    return "".join([*tokens[: hidden[0]], space, MASK, *tokens[hidden[0] + 1 :]]).strip()


def _is_word(tokens: list[str], i: int) -> bool:
    """Whether a token is a word from its beginning to its end; a Chinese character is one."""
    token, after = tokens[i], "".join(tokens[i + 1 : i + 2])
    if not token.strip().isalpha():
        return False
    if not token.strip().isascii():
        return True
    return token[0].isspace() and len(token.strip()) > 1 and not after[:1].isalnum()
