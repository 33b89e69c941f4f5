"""Each test has a home of its own, and small texts made here."""

import random

import pytest

TEXT = """the river ran past old mills and under stone bridges while children counted boats
清晨 的 河 水 流过 石桥 孩子 数着 小船 naïve café Straße 😀"""
WORDS = TEXT.split()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A playground home that goes with the test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PLAYGROUND_HOME", str(folder))
    return folder


@pytest.fixture
def prose():
    """``prose(n, seed)``: n lines of made-up sentences, English and Chinese."""

    def make(lines: int, seed: int = 0) -> str:
        rng = random.Random(seed)
        return "".join(" ".join(rng.choices(WORDS, k=rng.randint(3, 12))) + ".\n" for _ in range(lines))

    return make
