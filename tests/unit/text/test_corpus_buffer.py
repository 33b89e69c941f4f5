"""Cutting one long text in two: nothing lost, no character cut, and both sides near their share."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playground.text.corpus_buffer import TRAIN, CorpusBuffer
from playground.text.sources import Source

PARTS = st.lists(
    st.sampled_from([" ", "\n", "word", "a longer piece of text ", "汉字", "😀", "\n\n\n", "e\u0301", "x" * 300]),
    min_size=1,
    max_size=60,
).map("".join)


def sides(text: str, fraction: float) -> tuple[str, str]:
    source = Source(documents=lambda: iter([text]), shape="stream", fingerprint="", whole=True)
    with tempfile.TemporaryDirectory() as folder:
        spool = CorpusBuffer(Path(folder), source, 0, fraction, None, lambda size: None)
        pieces = list(spool.pieces())
    train = "".join(piece for side, piece, _ in pieces if side == TRAIN)
    return train, "".join(piece for side, piece, _ in pieces if side != TRAIN)


@settings(max_examples=200, deadline=None)
@given(PARTS.filter(str.strip), st.floats(0.001, 0.5))
@example("x" * 46_000 + "\n\n", 0.1)
@example("word " * 9_000 + "\n\n", 0.5)
@example("汉" * 9_000, 0.37)
@example("😀", 0.5)
@example("a\n" + "\n" * 9_000 + "b", 0.1)
@example(" " * 9_000 + "a word", 0.1)
def test_both_sides_are_near_their_share(text, fraction):
    train, validation = sides(text, fraction)
    assert train + validation == text
    written = text.strip()
    size = len(written.encode())
    if len(written) < 2:
        return
    asked = min(size - 1, max(1, round(size * fraction)))
    kept = len(validation.rstrip().encode())  # what is before the text goes to training
    smaller = min(asked, size - asked)
    assert abs(kept - asked) <= smaller / 4 + 4, (kept, asked)  # 4 bytes: a character may begin so much later


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("end", ["\n\n", "\n" * 30_000, "   \n \n"])
def test_one_line_and_then_blank_lines(fraction, end):
    text = "one word after another " * 2_000
    train, validation = sides(text + end, fraction)
    assert train.endswith(" ") and validation.startswith(("one", "word", "after", "another"))
    assert len(validation.rstrip()) == pytest.approx(fraction * len(text), rel=0.02, abs=12)


def test_a_line_end_that_is_near_is_taken_and_one_that_is_far_is_not():
    lines = "".join(f"line {i}\n" for i in range(1000))
    assert sides(lines, 0.1)[0].endswith("\n")
    far = "word " * 1_800 + "\n" + "word " * 200 + "\n"  # the line end lies 40 % of the text before the cut
    assert len(sides("word " * 500 + "\n" + "word " * 1_500, 0.1)[1]) == pytest.approx(1_000, abs=10)
    assert sides(far, 0.1)[1].startswith("word")


@pytest.mark.parametrize(
    "sizes", [[1000, 1100, 1200, 900, 1], [1, 2, 1000, 1100], [1000] * 5, [100] * 50, [3, 500, 400, 300]]
)
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_a_few_documents_of_any_size_leave_both_sides_a_part(tmp_path, sizes, fraction, seed):
    texts = [f"{i:03} "[:size] + "x" * (size - 4) for i, size in enumerate(sizes)]
    spool = CorpusBuffer(
        tmp_path,
        Source(documents=lambda: iter(texts), shape="stream", fingerprint=""),
        seed,
        fraction,
        None,
        lambda size: None,
    )
    kept = sum(len(piece) for side, piece, _ in spool.pieces() if side != TRAIN)
    assert fraction * sum(sizes) / 4 - 4 <= kept <= sum(sizes) / 2
