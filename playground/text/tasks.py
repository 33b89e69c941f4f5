"""Generated tasks: small worlds whose answer is known, made harder one option at a time.

Each example is a (source, target) pair; a seed gives the same examples in the same order. No source comes
twice, so a validation example was never trained on. Some worlds are smaller than what was asked for (there
are only 100 sums of two digits): then all of it is given.

Text that is generated, but has no question and answer, is elsewhere: `playground.text.elman`.
"""

from __future__ import annotations

import datetime
import itertools
import random
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playground.core.errors import Message, PlaygroundError
from playground.text.catalogue import CORPORA
from playground.text.sources import Source

FORMAT = 1  # another number: the same seed gives other examples

Pair = tuple[str, str]
Draw = Callable[[random.Random, Mapping[str, Any]], Pair]


@dataclass(frozen=True)
class Task:
    """A world to draw examples from; its title and options stand in `playground.text.catalogue`.

    Args:
        draw: one example from a random generator and the options.
        chance: the accuracy of guessing the first token of the target, given the options.
        world: every example there is, in any order, where a small world is to be given whole: drawing would need ever
            more attempts for the last ones.
    """

    draw: Draw
    chance: Callable[[Mapping[str, Any]], float]
    world: Callable[[Mapping[str, Any]], list[Pair]] | None = None


def examples(name: str, options: Mapping[str, Any], seed: int) -> Iterator[Pair]:
    """The examples of a task, no source twice; as many as ``options["examples"]`` or as there are.

    Args:
        name: a key of ``TASKS``.
        options: every option of the task, and ``examples``.
        seed: the same seed gives the same examples.
    """
    rng = random.Random(f"{name} {FORMAT} {seed}")
    if world := TASKS[name].world:
        pairs = world(options)
        rng.shuffle(pairs)
        yield from pairs[: options["examples"]]
        return
    seen: set[int] = set()
    misses = 0
    while len(seen) < options["examples"] and misses < 2_000:
        source, target = TASKS[name].draw(rng, options)
        key = hash(source)
        if key in seen:
            misses += 1
            continue
        misses = 0
        seen.add(key)
        yield source, target


def open_task(name: str, options: Mapping[str, Any], seed: int) -> Source:
    """A task as a source of pairs."""
    first = next(examples(name, options, seed), None)
    if first is None:
        raise PlaygroundError(
            "{title} has no examples with these options.", "Make it harder.", title=CORPORA[name].title
        )
    return Source(
        documents=lambda: examples(name, options, seed),
        shape="pairs",
        fingerprint=f"{name} {FORMAT} {seed} {sorted(options.items())}",
        size=options["examples"] * len("".join(first)),
        licence="CC0-1.0",
        provenance=Message("Generated from the seed {seed}.", seed=seed),
    )


def _recall(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    symbols = string.ascii_uppercase[: options["symbols"]]
    noise = symbols if options["noise"] == "same" else symbols.lower()
    symbol = rng.choice(symbols)
    return f">{symbol}{''.join(rng.choices(noise, k=options['distance']))}?", symbol


def _brackets(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    """Opens and closes at random; what is still open is to be closed, innermost first."""
    closing = dict(itertools.islice(zip("([{<", ")]}>", strict=True), options["kinds"]))
    text, still_open = [], []
    while True:
        depth = len(still_open)
        if depth and (depth == options["depth"] or rng.random() < 0.4):
            if len(text) >= options["length"]:
                break
            text.append(closing[still_open.pop()])
        else:
            still_open.append(rng.choice(list(closing)))
            text.append(still_open[-1])
    return "".join(text) + "|", "".join(closing[bracket] for bracket in reversed(still_open))


def _addition(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    """Numbers of one digit up to ``digits``, each count of digits as often."""
    a, b = (rng.randrange(10 ** rng.randint(1, options["digits"])) for _ in range(2))
    digits = str(a + b)
    return f"{a}+{b}=", digits if options["answer"] == "as written" else digits[::-1]


def _remainder(a: int, b: int, options: Mapping[str, Any]) -> Pair:
    return f"{a}+{b}=", str((a + b) % options["modulus"])


def _modular(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    """Addition in a cycle, the task on which grokking was found (Power et al. 2022, arXiv:2201.02177)."""
    return _remainder(rng.randrange(options["modulus"]), rng.randrange(options["modulus"]), options)


def _all_modular(options: Mapping[str, Any]) -> list[Pair]:
    """All sums of two numbers below the modulus; a + b and b + a are two."""
    return [_remainder(a, b, options) for a, b in itertools.product(range(options["modulus"]), repeat=2)]


def _parity(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    """One wrong bit changes the answer, so no part of the string says anything about it (Minsky & Papert 1969)."""
    length = options["length"] if options["vary"] == "no" else rng.randint(1, options["length"])
    bits = "".join(rng.choices("01", k=length))
    return bits + "?", "odd" if bits.count("1") % 2 else "even"


def _copy(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    """Symbols, a pause, a signal, the symbols again (Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016, section 5.1)."""
    symbols = "".join(rng.choices(string.ascii_lowercase[: options["symbols"]], k=options["length"]))
    return symbols + "." * options["pause"] + ">", symbols


def _sorting(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    length = options["length"] if options["vary"] == "no" else rng.randint(1, options["length"])
    word = "".join(rng.choices(_sorted_symbols(options), k=length))
    return word + ">", "".join(sorted(word))


def _sorted_symbols(options: Mapping[str, Any]) -> str:
    return string.digits if options["symbols"] == "digits" else string.ascii_lowercase


def _sorting_chance(options: Mapping[str, Any]) -> float:
    """How often the least symbol of all is among those to sort: then it comes first, and no other guess is as good."""
    shortest = options["length"] if options["vary"] == "no" else 1
    absent = 1 - 1 / len(_sorted_symbols(options))
    lengths = range(shortest, options["length"] + 1)
    return sum(1 - absent**length for length in lengths) / len(lengths)


def _reversal(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    length = options["length"] if options["vary"] == "no" else rng.randint(1, options["length"])
    word = "".join(rng.choices(string.ascii_lowercase[: options["letters"]], k=length))
    return word + ">", word[::-1]


def _repetition(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    alphabet = (string.ascii_letters + string.digits)[: options["symbols"]]
    length = options["length"] if options["vary"] == "no" else rng.randint(2, options["length"])
    sequence = "".join(rng.choices(alphabet, k=length))
    return sequence, sequence


def _date(rng: random.Random, options: Mapping[str, Any]) -> Pair:
    first = datetime.date(options["first_year"], 1, 1).toordinal()
    last = datetime.date(max(options["first_year"], options["last_year"]), 12, 31).toordinal()
    day = datetime.date.fromordinal(rng.randint(first, last))
    written = rng.choice(DATE_FORMATS[: options["formats"]])(day)
    if options["case"] == "mixed":
        written = rng.choice((str, str, str.lower, str.upper))(written)
    return written + " =", day.isoformat()


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


# Written out, because the calendar module answers in the language of the machine.
MONTHS = (
    *("", "January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT, SHORT_DAYS = [name[:3] for name in MONTHS], [name[:3] for name in DAYS]

# No format leaves a doubt about which number is the month; the first ones are the plainest.
DATE_FORMATS: tuple[Callable[[datetime.date], str], ...] = (
    lambda d: f"{d.day} {MONTHS[d.month]} {d.year}",
    lambda d: f"{MONTHS[d.month]} {d.day}, {d.year}",
    lambda d: f"{d.day} {SHORT[d.month]} {d.year}",
    lambda d: f"{SHORT[d.month]} {d.day}, {d.year}",
    lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
    lambda d: f"{MONTHS[d.month]} {_ordinal(d.day)}, {d.year}",
    lambda d: f"the {_ordinal(d.day)} of {MONTHS[d.month]} {d.year}",
    lambda d: f"{d.day:02}-{SHORT[d.month]}-{d.year}",
    lambda d: f"{DAYS[d.weekday()]}, {d.day} {MONTHS[d.month]} {d.year}",
    lambda d: f"{DAYS[d.weekday()]}, {MONTHS[d.month]} {d.day}, {d.year}",
    lambda d: f"{SHORT_DAYS[d.weekday()]} {_ordinal(d.day)} {SHORT[d.month]} {d.year}",
    lambda d: f"{d.year}, {MONTHS[d.month]} {d.day}",
    lambda d: f"{SHORT[d.month]}. {d.day} {d.year}",
    lambda d: f"{d.year} {SHORT[d.month]} {d.day:02}",
    lambda d: f"{d.year}年{d.month}月{d.day}日",
    lambda d: f"day {d.timetuple().tm_yday} of {d.year}",
)

TASKS: dict[str, Task] = {
    "task-recall": Task(_recall, lambda options: 1 / options["symbols"]),
    "task-brackets": Task(_brackets, lambda options: 1 / options["kinds"]),
    "task-addition": Task(_addition, lambda options: 1 / 10),
    "task-reversal": Task(_reversal, lambda options: 1 / options["letters"]),
    "task-dates": Task(_date, lambda options: 1 / 2),
    "task-repetition": Task(_repetition, lambda options: 1 / options["symbols"]),
    "task-copy": Task(_copy, lambda options: 1 / options["symbols"]),
    "task-parity": Task(_parity, lambda options: 1 / 2),
    "task-sorting": Task(_sorting, _sorting_chance),
    "task-modular": Task(_modular, lambda options: 1 / options["modulus"], _all_modular),
}
