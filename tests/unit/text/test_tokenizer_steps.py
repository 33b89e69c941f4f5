"""Steps of tokenizers from elsewhere: those that publishers use are taken, those that could go on for ever are not."""

import base64
import copy
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.runs import gallery
from playground.text import pretrained_tokenizers, tokenizer_steps
from playground.text.tokenizer_steps import check, check_pattern
from playground.text.tokenizers import EARLIER, PATTERNS, Tokenizer

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
POSSESSIVE = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s"
)
CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}]*[\p{Ll}\p{Lm}]+(?i:'s|'t)?|\p{N}{1,3}|[!\"#$()\[\]{}^_`|~][A-Za-z]+"

UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{SHORT}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{SHORT}|\p{{N}}{{1,3}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@pytest.fixture(scope="module")
def state() -> dict:
    return json.loads(gallery.get("bible-decoder").tokenizer_path.read_text(encoding="utf-8"))


def with_step(state: dict, part: str, step) -> dict:
    return copy.copy(state) | {part: step}


@pytest.mark.parametrize(
    "pattern",
    [
        GPT2,
        LLAMA3,
        POSSESSIVE,
        CASED,
        GPT4O,
        f"(?:{GPT4O})",
        *PATTERNS.values(),
        *EARLIER,
        r" {2,}",
        r"[]a]+b",
        r"(?<=a)b",
        r"(?i)'s|'t",
        r"\s?\p{L}+|\s?\p{P}+",
        r"[一-龥]+",
    ],
)
def test_patterns_that_publishers_use_are_taken(pattern):
    check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|a)*b",
        r"(?:a*)*",
        r"a*a*a*b",
        r"(.*)\1",
        r"(?~ab)",
        r"a{1,100000}",
        r"((a{1,30}){1,30}){1,30}",
        "(",
        "[a",
        r"(?<n>a)\k<n>",
        r"\g<0>",
        r"a{3,}b{2,}c+",
        r"(?:a+|b)(?:c+)(?:d+)",
        "a" * 3000,
        r"(a+)?(b+)?(c+)?d",
        r"a*a*b",
        r"a*(?:b|a*c)",
        r"a{0,60}a{0,60}a{0,60}b",
        r"a{60,0}a{60,0}a{60,0}b",
        r"a?" * 18 + "b",
        r"(?:a|a)" * 18 + "b",
        r"a**b",
        r"a*+*b",
        r"a{1,30}{1,30}{1,30}b",
        r"a{1,30}+b",
        r"a*(?=a*b)c",
        r"a*(?i)b|a*c",
        "(?x)#[\na*a*b#]",
        r"\c[a*a*b]",
        r"[\c]][]a*a*b]",
        r"\X*b",
        "(*FAIL)",
        "|".join([r"a*b"] * 12),
        r"(?(1)a|b)",
        "a)",
        "\\",
    ],
)
def test_patterns_that_could_take_for_ever_are_not(pattern):
    with pytest.raises(PlaygroundError, match="for ever"):
        check_pattern(pattern)


@given(st.text(alphabet=r"ab()[]{}|*+?\^$.,13:=!<>pLk ~-", max_size=40))
@example(r"(?:[")
@example(r"(?")
def test_any_pattern_is_answered(pattern):
    try:
        check_pattern(pattern)
    except PlaygroundError as error:
        assert "for ever" in error.message


GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
MANY = {"type": "Sequence", "normalizers": [GROWING] * 40}


@pytest.mark.parametrize(
    ("part", "step", "said"),
    [
        ("normalizer", MANY, "times as long"),
        (
            "normalizer",
            {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [GROWING] * 8}]},
            "times as long",
        ),
        ("normalizer", {**GROWING, "content": "a" * 1000}, "times as long"),
        ("normalizer", {"type": "Replace", "pattern": {"Regex": ""}, "content": "a" * 1000}, "times as long"),
        ("normalizer", {"type": "Replace", "pattern": {"Regex": "(a+)+b"}, "content": ""}, "for ever"),
        ("normalizer", {"type": "Replace", "pattern": {"String": ""}, "content": "a"}, "not there"),
        ("normalizer", {"type": "Prepend", "prepend": "x" * 10**6}, "more than 64 characters"),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 100}, "more than 64 steps"),
        (
            "normalizer",
            {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "NFKD"}]},
            "times as long",
        ),
        ("normalizer", {"type": "Sequence", "normalizers": 7}, "damaged"),
        ("normalizer", {"type": "Script"}, "not taken"),
        ("normalizer", ["NFC"], "not taken"),
        (
            "pre_tokenizer",
            {"type": "Split", "pattern": {"Regex": "(a|a)*b"}, "behavior": "Isolated", "invert": False},
            "for ever",
        ),
        ("pre_tokenizer", {"type": "Split", "pattern": 5}, "damaged"),
        (
            "post_processor",
            {"type": "TemplateProcessing", "single": [1] * 10**5, "pair": [], "special_tokens": {}},
            "64 tokens",
        ),
        (
            "decoder",
            {
                "type": "Sequence",
                "decoders": [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 99}],
            },
            "64",
        ),
        ("model", {"type": "WordPiece", "vocab": {}, "max_input_chars_per_word": 10**9}, "too long"),
        ("model", {"type": "BPE", "vocab": {}, "merges": [], "dropout": 0.5}, "different ways"),
        ("model", {"type": "WordLevel", "vocab": {}}, "not read here"),
        ("model", {"type": "BPE", "vocab": None}, "no vocabulary"),
        ("added_tokens", [{"id": 0, "content": "x" * 10**6}], "tokens than"),
    ],
)
def test_a_step_that_could_go_on_for_ever_is_named(state, part, step, said, tmp_path):
    hostile = with_step(state, part, step)
    with pytest.raises(PlaygroundError, match=said) as caught:
        check(hostile)
    assert caught.value.hint
    (tmp_path / "tokenizer.json").write_text(json.dumps(hostile))
    with pytest.raises(PlaygroundError):  # asked before the library builds anything of it
        Tokenizer.load(tmp_path / "tokenizer.json")
    with pytest.raises(PlaygroundError):
        pretrained_tokenizers.adopt(json.dumps(hostile), [], 10**6, hides=False)


def test_a_table_of_sentencepiece_is_measured():
    table = lambda text: base64.b64encode((4).to_bytes(4, "little") + b"trie" + text.encode() + b"\0").decode()
    step = lambda text: {"type": "Precompiled", "precompiled_charsmap": table(text)}
    model = {"type": "Unigram", "vocab": []}
    check({"model": model, "normalizer": step("صلى الله عليه وسلم")})
    with pytest.raises(PlaygroundError, match="times as long"):
        check({"model": model, "normalizer": step("x" * 500)})
    with pytest.raises(PlaygroundError, match="damaged"):
        check({"model": model, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "%%%"}})


def test_the_bound_of_growth_holds_for_what_is_taken(state):
    """What passes makes no text longer than the bound says, as the library itself does it."""
    from tokenizers import normalizers

    steps = [normalizers.NFKC(), normalizers.Lowercase()]
    kinds = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}
    check(with_step(state, "normalizer", kinds))
    worst = max(
        chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000 and len(steps[0].normalize_str(chr(i))) > 10
    )
    assert len(normalizers.Sequence(steps).normalize_str(worst * 100)) <= 100 * tokenizer_steps.MOST_GROWTH


def test_padding_and_truncation_of_the_file_are_dropped(state, tmp_path):
    padded = state | {
        "padding": {
            "strategy": {"Fixed": 10**9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "<pad>",
        },
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(padded))
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    assert tokenizer.decode(tokenizer.encode("in the beginning was the word")) == "in the beginning was the word"


@pytest.mark.parametrize("damage", ["a byte is missing", "two tokens are one", "normalizer", "marks"])
def test_an_own_tokenizer_knows_every_byte(state, damage, tmp_path):
    changed = copy.deepcopy(state)
    vocabulary = changed["model"]["vocab"]
    if damage == "a byte is missing":
        name = next(token for token, i in vocabulary.items() if i == 100)
        vocabulary["Ġthe the"] = vocabulary.pop(name)
    elif damage == "two tokens are one":
        vocabulary["Ġthee"] = 5
    elif damage == "normalizer":
        changed["normalizer"] = {"type": "Lowercase"}
    else:
        mark = {"id": pretrained_tokenizers.MARK, "ids": [0, 1, 2, 3, 10**12], "tokens": []}
        changed["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {pretrained_tokenizers.MARK: mark},
        }
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    with pytest.raises(PlaygroundError):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_a_panic_of_the_library_is_a_sentence(state, monkeypatch, tmp_path):
    """Its panics are no Exceptions: they went through every page's handling of errors."""
    tokenizer = Tokenizer.load(gallery.get("bible-decoder").tokenizer_path)
    panic = type("PanicException", (BaseException,), {})

    class Falls:
        def __getattr__(self, name):
            def fall(*_, **__):
                raise panic("called `Result::unwrap()` on an `Err` value")

            return fall

    monkeypatch.setattr(tokenizer, "_inner", Falls())
    for call in (lambda: tokenizer.encode("a"), lambda: tokenizer.encode_many(["a"])):
        with pytest.raises(PlaygroundError, match="fell over a text"):
            call()


def test_a_letter_without_any_token_is_a_sentence(tmp_path):
    """Of Unigram's tokenizers that know no unknown, the library raises a bare Exception at a page's first strange letter."""
    from tokenizers import Tokenizer as Inner
    from tokenizers import models, pre_tokenizers

    inner = Inner(models.Unigram([("</s>", 0.0), ("▁", -1.0), ("a", -1.0)], unk_id=None))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.add_special_tokens(["</s>"])
    (tmp_path / "tokenizer.json").write_text(pretrained_tokenizers.adopt(inner.to_str(), [], 3, hides=False))
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    assert tokenizer.encode("a a")
    for call in (lambda: tokenizer.encode("a b"), lambda: tokenizer.encode_many(["a b"])):
        with pytest.raises(PlaygroundError, match="fell over a text"):
            call()
