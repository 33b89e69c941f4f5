"""Every text comes back exactly, whatever the kind; the fast ways give what the slow one gives."""

import functools
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.text.corpus_buffer import _pieces
from playground.text.spec import BASE_SIZE, KINDS, SPECIALS, TokenizerSpec
from playground.text.tokenizers import Tokenizer, clean, cuts
from playground.text.vocabulary import learn

SEEN = [
    "the cat sat on the mat, the end.\n\n  indented  twice\n",
    "汉字和汉语，汉字。\n",
    "naïve café 😀😀\n",
] * 4

# Parts that tokenizers trip over: line ends, runs of spaces, special-token lookalikes, control characters,
# combining marks, characters that were never seen, characters outside the basic plane, NUL, CRLF.
AWKWARD = st.sampled_from(
    [
        "\n",
        "\n\n",
        " ",
        "   ",
        "\t",
        "\r\n",
        "\0",
        "\x85",
        "\u2028",
        "\u00a0",
        "\u3000",
        "<eos>",
        "<pad>",
        "<mask>",
    ]
    + [
        "汉",
        "漢字",
        "😀",
        "👨‍👩‍👧",
        "e\u0301",
        "ß",
        "ﬀ",
        "\ufeff",
        "\ufffd",
        "\U0010ffff",
        "Ġ",
        "Ċ",
        "the",
        "12345",
        "'s",
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.one_of(AWKWARD, st.text(st.characters(codec="utf-8"), max_size=4)), max_size=30).map("".join),
)


@functools.cache
def trained(kind: str) -> Tokenizer:
    return learn(TokenizerSpec(kind, 320), lambda: SEEN)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_round_trip(kind, text):
    tokenizer = trained(kind)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert all(i >= len(SPECIALS) for i in ids), "typed text never becomes a special token"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, max_size=6))
def test_the_fast_way_gives_what_the_slow_way_gives(kind, texts):
    tokenizer = trained(kind)
    fast = tokenizer.encode_many(texts)
    assert [ids.tolist() for ids in fast] == [tokenizer.encode(text) for text in texts]
    assert all(ids.dtype == np.int32 for ids in fast)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS, longest=st.integers(1, 40))
def test_cutting_loses_nothing(kind, text, longest):
    parts = cuts(text, longest)
    assert "".join(parts) == text
    assert all(len(part) <= longest for part in parts)
    tokenizer = trained(kind)
    assert tokenizer.decode(np.concatenate(tokenizer.encode_many(parts))) == text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(lines=st.lists(TEXTS.map(lambda text: text.replace("\n", " ").strip() or "x")), ends=st.data())
def test_no_token_crosses_a_cut_at_a_line_end_or_a_single_space(kind, lines, ends):
    text = "".join(line + ends.draw(st.sampled_from(["\n", "\n\n", "  \n", " "])) for line in lines) + "x"
    parts = cuts(text, max([len(line) for line in lines], default=0) + 4)
    if any(not (a.endswith("\n") or b.startswith(" ")) for a, b in zip(parts, parts[1:], strict=False)):
        return  # cut anywhere, for want of a better place
    tokenizer = trained(kind)
    assert np.concatenate(tokenizer.encode_many(parts)).tolist() == tokenizer.encode(text)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, cut=st.lists(st.integers(0, 200), max_size=5))
def test_pieces_do_not_depend_on_how_the_text_arrives(text, cut):
    text = text * 3
    places = sorted({0, len(text), *(min(place, len(text)) for place in cut)})
    arriving = [text[a:b] for a, b in zip(places, places[1:], strict=False)]
    assert "".join(_pieces(arriving)) == text


def test_long_text_in_pieces_equals_long_text_whole(prose):
    text = prose(3000)
    pieces = list(_pieces([text[:50_001], text[50_001:]]))
    assert len(pieces) > 10
    for kind in KINDS:
        tokenizer = trained(kind)
        assert np.concatenate(tokenizer.encode_many(pieces)).tolist() == tokenizer.encode(text)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_have_their_places_and_only_count_when_asked_for(kind):
    tokenizer = trained(kind)
    assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id) == (0, 1, 2, 3)
    ids = tokenizer.encode("a<mask>b<eos>", specials=True)
    assert (ids[1], ids[-1], len(ids)) == (3, 2, 4)
    assert tokenizer.decode(ids) == "ab"
    assert tokenizer.decode(ids, specials=True) == "a<mask>b<eos>"
    assert tokenizer.pieces(ids) == ["a", "<mask>", "b", "<eos>"]


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_is_the_same(kind, tmp_path):
    tokenizer = trained(kind)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    text = "the 汉字 <eos> 未知 \0 😀"
    assert (loaded.kind, loaded.size) == (kind, tokenizer.size)
    assert loaded.encode(text) == tokenizer.encode(text)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "tokenizer.json").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_works_in_the_tokenizers_library_alone(kind, tmp_path):
    import tokenizers

    trained(kind).save(tmp_path / "tokenizer.json")
    alone = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "the cat 汉字 未知 😀\n"
    assert alone.encode(text).ids == trained(kind).encode(text)
    assert alone.decode(trained(kind).encode(text)) == text
    assert alone.encode("<mask>").ids == [3], "other programs read the names as special tokens"


@pytest.mark.parametrize("kind", KINDS)
def test_learning_is_deterministic_and_keeps_to_the_size(kind, prose):
    spec = TokenizerSpec(kind, 300)
    first, second = (learn(spec, lambda: [prose(300)]) for _ in range(2))
    assert first._inner.to_str() == second._inner.to_str()
    assert first.size <= 300
    assert first.size == (BASE_SIZE if kind == "byte" else first.size)


def test_frequent_characters_and_words_get_the_tokens():
    text = "汉汉汉字字未 " * 3 + "apple apple apple pear pear"
    characters = learn(TokenizerSpec("char", BASE_SIZE + 2), lambda: [text])
    assert characters.pieces(range(BASE_SIZE, characters.size)) == ["汉", "字"]
    words = learn(TokenizerSpec("word", BASE_SIZE + 1), lambda: ["apple apple apple pear pear\n" * 2])
    assert words.pieces(range(BASE_SIZE, words.size)) == [" apple"]


def test_a_korean_word_is_a_word_and_older_files_are_read_as_they_were_written(tmp_path):
    text = "사과 사과 사과 나무\n" * 3
    words = learn(TokenizerSpec("word", BASE_SIZE + 2), lambda: [text])
    assert words.pieces(words.encode("사과 사과")) == ["사과", " 사과"]
    words.save(tmp_path / "new.json")
    old = json.loads((tmp_path / "new.json").read_text())
    split = old["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    split["Regex"] = split["Regex"].replace("\uf900", "\u8c48")
    (tmp_path / "old.json").write_text(json.dumps(old))
    found = Tokenizer.load(tmp_path / "old.json")
    assert found.kind == "word" and found.fingerprint != words.fingerprint
    assert found.decode(found.encode(text)) == text


def test_a_cut_character_shows_as_its_byte():
    tokenizer = trained("byte")
    assert tokenizer.pieces(tokenizer.encode("é")) == ["\\xc3", "\\xa9"]
    assert tokenizer.decode(tokenizer.encode("é")[:1]) == "\ufffd"


def test_lone_surrogates_become_the_replacement_character():
    assert clean("a\ud83db") == "a\ufffdb"
    assert clean("\ud83d\ude00") == "😀"
    assert trained("bpe").decode(trained("bpe").encode("a\ud83d")) == "a\ufffd"


@pytest.mark.parametrize("text", ["", "{", '{"version": "1.0"}', '"text"'])
def test_what_is_no_tokenizer_is_said_to_be_none(text, tmp_path):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(PlaygroundError, match="not a tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_errors_of_ids_and_files(tmp_path):
    with pytest.raises(PlaygroundError, match="no token 9999"):
        trained("bpe").decode([9999])
    with pytest.raises(PlaygroundError, match="no tokenizer at"):
        Tokenizer.load(tmp_path / "none.json")


# A mask in a text


HELD_OUT = (
    'In the first year, the old king slept.\nThe  queen\tread; "So be it", she said (twice).\n\n 12 birds 3456 sang'
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_typed_as_a_mask_is_the_token_that_training_hides(kind, prose):
    """The truth: one id hidden among those of the whole text. Typed, the mask stands where the word's letters stood."""
    tokenizer = learn(TokenizerSpec(kind, 1200), lambda: [prose(3_000), HELD_OUT])
    ids = tokenizer.encode(HELD_OUT)
    pieces, tried = tokenizer.pieces(ids), 0
    for place, piece in enumerate(pieces):
        before, after = "".join(pieces[:place]), "".join(pieces[place + 1 :])
        space = " " * piece.startswith(" ") if kind in ("bpe", "word") else ""
        part_of_a_word = not piece.strip() or (not space and before.endswith(" ") and kind in ("bpe", "word"))
        if part_of_a_word or tokenizer.encode(before) + tokenizer.encode(after) != [*ids[:place], *ids[place + 1 :]]:
            continue
        hidden = [*ids[:place], tokenizer.mask_id, *ids[place + 1 :]]
        assert tokenizer.encode(f"{before}{space}<mask>{after}", specials=True) == hidden, (before, piece)
        tried += 1
    assert tried > 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_to_continue_ends_before_the_space_that_the_next_word_brings(kind):
    spaced = kind in ("bpe", "word")
    for text, bare in (("the cat ", "the cat"), ("the   ", "the"), ("a\n    ", "a\n   "), (" ", ""), ("a\n", "a\n")):
        assert trained(kind).to_continue(text) == (bare if spaced else text), text
    for text in ("", "the", " the", "the\n", "a b"):
        assert trained(kind).to_continue(text) == text


def test_a_word_or_character_without_a_token_is_named_whole():
    assert trained("word").unknown("the \N{CAT FACE} cat") == "\N{CAT FACE}"
    assert trained("word").unknown("the xylophone the") == "xylophone"
    assert trained("char").unknown("the 猫 q") == "猫"
    assert trained("bpe").unknown("the 猫 zq") == "猫"
    assert trained("byte").unknown("the 猫") == ""
    for kind in KINDS:
        assert trained(kind).unknown("the the  the\n") == "", kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_takes_one_space_and_no_other(kind):
    tokenizer, takes = trained(kind), kind in ("bpe", "word")
    read = lambda text: tokenizer.decode(tokenizer.encode(text, specials=True), specials=True)
    for text, left in (
        ("the <mask> cat", "the<mask> cat"),
        ("the  <mask>", "the <mask>"),
        (" <mask>", "<mask>"),
        ("<mask> <mask><mask>, <mask>", "<mask><mask><mask>,<mask>"),
        ("the\n<mask>", "the\n<mask>"),
        ("a\t<mask>", "a\t<mask>"),
        ("c<mask>t", "c<mask>t"),
        ("the <eos> <pad>", "the <eos> <pad>"),
    ):
        assert read(text) == (left if takes else text), text
    assert tokenizer.decode(tokenizer.encode("a <mask>")) == "a <mask>", "in a text that is learnt from, it is letters"


@pytest.mark.parametrize("kind", KINDS)
def test_other_programs_read_a_mask_after_a_space_alike(kind, tmp_path):
    import tokenizers

    trained(kind).save(tmp_path / "tokenizer.json")
    alone = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    flags = {token["content"]: token["lstrip"] for token in json.loads(alone.to_str())["added_tokens"]}
    assert flags == {"<pad>": False, "<bos>": False, "<eos>": False, "<mask>": kind in ("bpe", "word")}
    for text in ("the <mask> cat", "<mask> sat", "a<mask> <mask>.", "c<mask>t <mask>", "<mask>"):
        assert alone.encode(text).ids == trained(kind).encode(text, specials=True), text


@pytest.mark.parametrize("kind", KINDS)
def test_files_from_before_masks_took_a_space_are_read_alike(kind, tmp_path):
    tokenizer = trained(kind)
    tokenizer.save(tmp_path / "new.json")
    old = json.loads((tmp_path / "new.json").read_text())
    old["added_tokens"] = [token | {"lstrip": False} for token in old["added_tokens"]]
    (tmp_path / "old.json").write_text(json.dumps(old))
    found = Tokenizer.load(tmp_path / "old.json")
    assert found.encode("the <mask> cat", specials=True) == tokenizer.encode("the <mask> cat", specials=True)
    assert found.fingerprint == tokenizer.fingerprint, "data that was prepared with it stays prepared"
    found.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "new.json").read_text()


def test_the_fingerprint_of_a_shipped_tokenizer_is_the_hash_of_its_old_file():
    import tokenizers

    from playground.runs import gallery

    path = gallery.get("bible-encoder").tokenizer_path
    old = tokenizers.Tokenizer.from_file(str(path)).to_str().encode()
    assert Tokenizer.load(path).fingerprint == hashlib.sha256(old).hexdigest()[:20]
