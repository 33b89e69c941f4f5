"""Specs travel as JSON and refuse nonsense in plain words."""

import json
import subprocess
import sys

import pytest

from playground.core.errors import PlaygroundError
from playground.text import CORPORA, DataSpec, TokenizerSpec


@pytest.mark.parametrize(
    "spec",
    [
        DataSpec("python-docs"),
        DataSpec("file", "a.csv", source_column="en", target_column="zh", max_bytes=10, encoding="gb18030"),
        DataSpec("task-recall", options={"distance": 5}, tokenizer=TokenizerSpec("char", 300), seed=3),
        DataSpec("hf:some/name:config", validation_fraction=0.02),
    ],
)
def test_round_trip_through_json(spec):
    assert DataSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_defaults_of_options_are_filled_in():
    assert DataSpec("task-recall", options={"distance": 5}).options["symbols"] == 8
    assert DataSpec("task-recall", options={"distance": 5}).replace(seed=1).options["distance"] == 5
    assert DataSpec("task-recall").replace(corpus="python-docs").options == {}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TokenizerSpec("bqe"), "no tokenizer 'bqe'"),
        (lambda: TokenizerSpec("bpe", 100), "vocabulary of 100 cannot"),
        (lambda: TokenizerSpec("bpe", True), "vocabulary of True cannot"),
        (lambda: TokenizerSpec.from_dict({"size": 1}), "no setting 'size'"),
        (lambda: DataSpec("python-dogs"), "no corpus 'python-dogs'"),
        (lambda: DataSpec("hf:"), "no corpus 'hf:'"),
        (lambda: DataSpec("file"), "No file"),
        (lambda: DataSpec("file", "a", source_column="x"), "only one"),
        (lambda: DataSpec("python-docs", validation_fraction=0), "0 cannot be"),
        (lambda: DataSpec("python-docs", max_bytes=0), "0 bytes"),
        (lambda: DataSpec("python-docs", seed=-1), "-1"),
        (lambda: DataSpec("python-docs", encoding="utf-9"), "utf-9"),
        (lambda: DataSpec("python-docs", options={"distance": 1}), "no option 'distance'"),
        (lambda: DataSpec("task-recall", options={"distance": 0}), "distance cannot be 0"),
        (lambda: DataSpec("task-recall", options={"distance": "5"}), "'5'"),
        (lambda: DataSpec("task-recall", options={"noise": "loud"}), "'loud'"),
        (lambda: DataSpec.from_dict({"corpus": "python-docs", "sead": 1}), "'sead'"),
    ],
)
def test_nonsense_is_refused_with_a_way_out(make, words):
    with pytest.raises(PlaygroundError, match=words) as caught:
        make()
    assert caught.value.hint


def test_every_corpus_says_what_it_is():
    for name, corpus in CORPORA.items():
        assert corpus.name == name
        assert all((corpus.title, corpus.summary, corpus.language, corpus.licence, corpus.provenance))
        assert corpus.kind in ("text", "pairs", "task")
        for option in corpus.options:
            assert option.check(option.default) == option.default


def test_the_import_is_light():
    code = (
        "import sys, time; began = time.perf_counter(); import playground.text; "
        "took = time.perf_counter() - began; heavy = {'torch', 'pandas', 'pyarrow', 'tokenizers', "
        "'chardet', 'datasets'} & set(sys.modules); assert not heavy, heavy; print(took)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
