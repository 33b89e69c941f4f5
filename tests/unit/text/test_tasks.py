"""Generated tasks: every answer is right, every source new, every seed the same again."""

import datetime
import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.text import CORPORA, DataSpec, TokenizerSpec, prepare
from playground.text.tasks import DATE_FORMATS, MONTHS, TASKS, examples


def some(name, count=300, seed=0, **options):
    given = DataSpec(name, options={"examples": count, **options}).options
    return list(examples(name, given, seed))


@pytest.mark.parametrize("name", TASKS)
def test_seeded_and_without_repeats(name):
    first = some(name)
    assert first == some(name)
    assert first != some(name, seed=1)
    assert len({source for source, _ in first}) == len(first) == 300
    assert all(source and target for source, target in first)


@pytest.mark.parametrize("name", TASKS)
def test_every_extreme_of_every_option_gives_examples(name):
    for option in CORPORA[name].options:
        if option.name == "examples":
            continue
        for value in option.choices or (option.minimum, option.maximum):
            assert some(name, 100, **{option.name: value})


def test_recall():
    for source, target in some("task-recall", distance=20, symbols=4):
        assert source[0] == ">" and source[-1] == "?" and source[1] == target
        assert len(source) == 23 and target in "ABCD" and set(source[2:-1]) <= set("abcd")
    source, _ = some("task-recall", noise="same", symbols=4)[0]
    assert set(source[2:-1]) <= set("ABCD")


def test_brackets_close_what_is_open_innermost_first():
    for source, target in some("task-brackets", depth=5, kinds=4, length=20):
        text = source.removesuffix("|") + target
        deepest = 0
        still_open = []
        for bracket in text:
            if bracket in "([{<":
                still_open.append(bracket)
            else:
                assert "([{<"[")]}>".index(bracket)] == still_open.pop()
            deepest = max(deepest, len(still_open))
        assert not still_open and deepest <= 5 and len(source) > 20


def test_addition():
    for answer in ("as written", "backwards"):
        for source, target in some("task-addition", digits=4, answer=answer):
            a, b = source.removesuffix("=").split("+")
            assert max(len(a), len(b)) <= 4
            assert int(target if answer == "as written" else target[::-1]) == int(a) + int(b)


def test_reversal_and_repetition():
    assert all(source == target[::-1] + ">" for source, target in some("task-reversal"))
    assert all(len(target) == 5 for _, target in some("task-reversal", length=5, vary="no"))
    assert all(source == target and len(source) == 9 for source, target in some("task-repetition", length=9))
    varied = some("task-repetition", length=9, vary="yes")
    assert all(source == target for source, target in varied)
    assert {len(source) for source, _ in varied} == set(range(2, 10)), "no fixed distance to copy from"


words = st.sampled_from(("yes", "no"))


@given(length=st.integers(1, 100), vary=words, symbols=st.sampled_from(("letters", "digits")), seed=st.integers(0, 99))
def test_sorting_keeps_every_symbol_and_never_goes_down(length, vary, symbols, seed):
    for source, target in some("task-sorting", 100, seed, length=length, vary=vary, symbols=symbols):
        word = source.removesuffix(">")
        assert source != word and len(word) <= length and (vary == "yes" or len(word) == length)
        assert all(word.count(symbol) == target.count(symbol) for symbol in {*word, *target})
        assert all(a <= b for a, b in itertools.pairwise(target))
        assert word.isdigit() if symbols == "digits" else word.isalpha()


@given(length=st.integers(1, 200), vary=words, seed=st.integers(0, 99))
def test_parity_flips_at_every_one(length, vary, seed):
    for source, target in some("task-parity", 100, seed, length=length, vary=vary):
        odd = False
        for bit in source.removesuffix("?"):
            odd ^= {"0": False, "1": True}[bit]
        assert target == ("odd" if odd else "even") and len(source) <= length + 1
        assert vary == "yes" or len(source) == length + 1


@given(pause=st.integers(1, 300), length=st.integers(2, 20), symbols=st.integers(2, 26), seed=st.integers(0, 99))
def test_copying_after_a_pause(pause, length, symbols, seed):
    for source, target in some("task-copy", 100, seed, pause=pause, length=length, symbols=symbols):
        assert source[-1] == ">" and set(source[length:-1]) == {"."} and len(source) == length + pause + 1
        assert source[:length] == target and set(target) <= set("abcdefghijklmnopqrstuvwxyz"[:symbols])


@given(modulus=st.integers(2, 40), seed=st.integers(0, 99))
def test_modular_addition_gives_its_whole_world(modulus, seed):
    pairs = some("task-modular", 1_000_000, seed, modulus=modulus)
    asked = [tuple(map(int, source.removesuffix("=").split("+"))) for source, _ in pairs]
    assert sorted(asked) == [(a, b) for a in range(modulus) for b in range(modulus)]
    assert all(
        (a + b - int(target)) % modulus == 0 <= int(target) < modulus for (a, b), (_, target) in zip(asked, pairs)
    )


def test_fewer_modular_sums_are_a_part_of_all():
    pairs = some("task-modular", 300)
    assert len(pairs) == 300 and set(pairs) < set(some("task-modular", 10_000))


def test_a_number_of_a_modular_sum_is_one_token():
    data = prepare(DataSpec("task-modular", tokenizer=TokenizerSpec(CORPORA["task-modular"].tokenizer)))
    assert all([*map(len, data.train[i])] == [4, 1] for i in range(len(data.train)))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("task-recall", {}),
        ("task-copy", {}),
        ("task-parity", {"length": 30}),
        ("task-modular", {"modulus": 20}),
        ("task-sorting", {"length": 3}),
        ("task-sorting", {"length": 3, "vary": "no", "symbols": "digits"}),
    ],
)
def test_chance_is_what_the_best_constant_guess_gets(name, options):
    spec = DataSpec(name, options=options)
    rng = random.Random(0)
    firsts = Counter(TASKS[name].draw(rng, spec.options)[1][0] for _ in range(20_000))
    if name == "task-modular":  # its first token is the whole number
        firsts = Counter(TASKS[name].draw(rng, spec.options)[1] for _ in range(20_000))
    assert firsts.most_common(1)[0][1] / 20_000 == pytest.approx(TASKS[name].chance(spec.options), abs=0.015)


def test_dates_are_what_was_written():
    for source, target in some("task-dates", formats=len(DATE_FORMATS), case="mixed"):
        day = datetime.date.fromisoformat(target)
        assert 1950 <= day.year <= 2049 and source.endswith(" =")
        forms = {write(day).lower() + " =" for write in DATE_FORMATS}
        assert source.lower() in forms
    day = datetime.date(1998, 5, 3)
    assert DATE_FORMATS[0](day) == "3 May 1998"
    assert DATE_FORMATS[6](day) == "the 3rd of May 1998"
    assert DATE_FORMATS[8](day) == "Sunday, 3 May 1998"
    assert len(MONTHS) == 13
    assert DATE_FORMATS[5](datetime.date(2011, 12, 11)) == "December 11th, 2011"


def test_no_written_date_means_two_days():
    meanings = {}
    first = datetime.date(2023, 1, 1)
    for write, days in itertools.product(DATE_FORMATS, range(2 * 365)):
        day = first + datetime.timedelta(days)
        assert meanings.setdefault(write(day), day) == day


def test_a_small_world_is_given_whole_and_split():
    pairs = some("task-addition", 1000, digits=1)
    assert len(pairs) == 100
    data = prepare(
        DataSpec("task-addition", options={"digits": 1, "examples": 1000}, tokenizer=TokenizerSpec("char", 300))
    )
    assert (len(data.train), len(data.validation)) == (90, 10)


def test_a_world_of_one_example_cannot_be_split():
    with pytest.raises(PlaygroundError, match="no two different examples"):
        prepare(DataSpec("task-brackets", options={"depth": 1, "kinds": 1}))


@pytest.mark.parametrize("name", TASKS)
def test_prepared_sides_share_no_source(name):
    data = prepare(DataSpec(name, options={"examples": 500}, tokenizer=TokenizerSpec("char", 300)))
    sides = [{data.tokenizer.decode(side[i][0]) for i in range(len(side))} for side in (data.train, data.validation)]
    assert data.shape == "pairs"
    assert not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) == 500
    assert 30 <= len(sides[1]) <= 70


def test_the_catalogue_offers_every_date_format():
    formats = next(option for option in CORPORA["task-dates"].options if option.name == "formats")
    assert formats.maximum == len(DATE_FORMATS)


def test_every_task_has_a_generator():
    assert list(TASKS) == [name for name, corpus in CORPORA.items() if corpus.kind == "task"]
