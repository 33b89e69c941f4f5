"""What a linear model makes of the same split: the figure that a neural one has to beat."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from playground.core import atomic
from playground.labelled.prepare import LabelledSet, Side
from playground.labelled.scores import macro_f1
from playground.labelled.split import chosen
from playground.runs.finetuning import LabelledSpec

MOST_TEXTS = 100_000  # trained on: above, it takes minutes and gains little
MOST_WORDS = 150_000


SHIPPED = "results/baseline.json"
"""Where a run that ships with the app keeps the figures: its text may not be on the machine."""


def shipped_baseline(run: Path) -> dict | None:
    """The figures of `baseline` in the folder of a shipped run; None where there are none."""
    try:
        return json.loads((run / SHIPPED).read_text(encoding="utf-8"))
    except OSError:
        return None


def baseline(data: LabelledSet, spec: LabelledSpec, cancelled: Callable[[], bool] = lambda: False) -> dict:
    """Logistic regression on TF-IDF of words and word pairs, and of characters (Salton & Buckley 1988).

    For tags, the features of a word are itself and its two neighbours on each side. Trained on the same examples as
    the model, tested on the same ones; kept beside the data, so that it is computed once.

    Returns:
        ``accuracy``, ``macro_f1``, ``n`` (tested), ``trained`` (examples or words), ``seconds``.
    """
    kept = data.folder / f"baseline-{spec.train_fraction:g}-{spec.limit}.json"
    if kept.exists():
        try:
            return json.loads(kept.read_text())
        except ValueError:
            pass  # torn: computed again
    began = time.monotonic()
    used = chosen(len(data.train), spec)[:MOST_TEXTS]
    fitted = _classify if data.task == "classify" else _tag
    trained, true, said = fitted(data, used)
    found = {
        "accuracy": float((true == said).mean()),
        "macro_f1": macro_f1(true, said),
        "n": len(true),
        "trained": trained,
        "seconds": round(time.monotonic() - began, 2),
    }
    if not cancelled():
        atomic.write_json(kept, found)
    return found


def _classify(data: LabelledSet, used: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+")
    letters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, max_features=50_000)
    texts, labels = data.train.texts(used.tolist()), np.asarray(data.train.labels)[used]
    features = make_union(words, letters) if any(re.search(r"\w", text) for text in texts) else letters
    model = make_pipeline(features, LogisticRegression(C=10.0, max_iter=1000))
    if len(np.unique(labels)) < 2:  # a tiny share of the labels may hold one alone
        return len(texts), np.asarray(data.test.labels), np.full(len(data.test), labels[0])
    model.fit(texts, labels)
    predicted = np.asarray(model.predict(data.test.texts(range(len(data.test)))))
    return len(texts), np.asarray(data.test.labels), predicted


def _tag(data: LabelledSet, used: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    hasher = FeatureHasher(1 << 18, input_type="string", alternate_sign=False)
    rows, labels = _words(data.train, used, MOST_WORDS)
    test_rows, true = _words(data.test, np.arange(len(data.test)), len(data.test.ids))
    if len(np.unique(labels)) < 2:
        return len(rows), true, np.full(len(true), labels[0])
    model = SGDClassifier(
        loss="log_loss",
        alpha=1e-6,
        max_iter=20,
        tol=None,  # pyright: ignore[reportArgumentType] (it has no types; the default is a number)
        random_state=0,
    )
    model.fit(hasher.transform(rows), labels)
    return len(rows), true, np.asarray(model.predict(hasher.transform(test_rows)))


def _words(side: Side, indices: np.ndarray, most: int) -> tuple[list[list[str]], np.ndarray]:
    """Features and label of each asked word, up to ``most``."""
    rows: list[list[str]] = []
    labels: list[int] = []
    for index, pieces in zip(indices, side.texts(indices.tolist())):
        tags = side.tags(index)
        asked = tags[tags >= 0]
        padded = ["", "", *(piece.strip() for piece in pieces), "", ""]
        for place in range(len(asked)):
            near = padded[place : place + 5]
            rows.append([f"{i}={word}" for i, word in enumerate(near)] + [f"2-={near[2][-3:]}", f"3+={near[3][:1]}"])
        labels.extend(asked.tolist())
        if len(rows) >= most:
            break
    return rows, np.array(labels)
