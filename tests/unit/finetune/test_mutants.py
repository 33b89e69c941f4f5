"""Five hundred changed runs: each is refused with a sentence, or harmless on every page, in bounded memory and time."""

import gc
import itertools
import shutil
import warnings
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from streamlit.testing.v1 import AppTest

from playground.runs.folder import RunFolder
from playground.runs.integrity import problem
from playground.runs.store import RunStore
from playground.training import worker
from tests.app.conftest import show
from tests.support.mutants import Doorkeeper, files_of, mutated, mutations

EXAMPLES = 500
CHILD, SERVER, SECONDS = 2**30, 50 * 2**20, 20.0


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def good(home, tmp_path_factory) -> dict[str, bytes]:
    """The files of a packed run that trained for some steps."""
    from models.spec import ModelSpec
    from playground.runs.config import RunConfig, TrainingSpec
    from playground.text.spec import DataSpec, TokenizerSpec

    model = ModelSpec("decoder", d_model=16, n_layers=1, n_heads=2, context_length=16)
    data = DataSpec("python-docs", tokenizer=TokenizerSpec("bpe", 300), max_bytes=60_000)
    training = TrainingSpec(
        steps=8,
        batch_size=4,
        eval_every=4,
        eval_batches=1,
        sample_every=4,
        sample_max_new_tokens=8,
        threads=1,
        device="cpu",
    )
    run = RunStore().create(RunConfig("a good run", model, data, training))
    assert worker.run(run) == "finished"
    files = files_of(RunStore().export_zip(run.id, tmp_path_factory.mktemp("zip") / "good.zip"))
    shutil.rmtree(run.path)
    return files


@pytest.fixture(scope="module")
def kept(home, good) -> list[str]:
    """Opens five hundred mutants in children with the gate's limits; the ids of those that became runs of the home."""
    store, keeper, number, ids, told = RunStore(), Doorkeeper(home), itertools.count(), [], []
    before = set(home.parent.rglob("evil*"))  # other tests' files

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations)
    def open_each(changes) -> None:
        work = home / f"work-{next(number)}"
        work.mkdir()
        (work / "brought.zip").write_bytes(mutated(good, changes))
        said = keeper.opened(work / "brought.zip", work)
        told.append(said)
        assert "bug" not in said, f"{changes}\n{said['bug'][-3000:]}"
        assert said["memory"] <= CHILD and said["seconds"] <= SECONDS, (changes, said)
        if "result" in said:
            made = work / "runs" / said["result"]["id"]
            made.rename(store.root / made.name)
            ids.append(made.name)
        else:
            assert said.get("message") and said["status"] == 0, (changes, said)
        assert set(home.parent.rglob("evil*")) <= before and not Path("/etc/evil.json").exists()
        shutil.rmtree(work)

    with warnings.catch_warnings(action="ignore", category=UserWarning):  # zipfile's, of names that stand there twice
        open_each()
    keeper.close()
    print(
        f"{len(told)} opened, {len(ids)} taken; most memory {max(each['memory'] for each in told) >> 20} MB, "
        f"longest {max(each['seconds'] for each in told):.1f} s"
    )
    assert len(told) >= EXAMPLES and 20 < len(ids) < len(told) - 100, "both ways are tried"
    return ids


def test_each_is_refused_with_a_sentence_or_becomes_a_sound_run(kept):
    store = RunStore()
    assert {run.id for run in store.list()} == set(kept) and store.damaged() == []
    assert all(problem(store.get(id)) is None for id in kept)


PAGES = {
    "home": "run",
    "generate": "run",
    "explore": "run",
    "export": "run",
    "train": "run",
    "finetune": "parent",
}
LOOKED_AT = 48  # runs at most: each is drawn on six pages
BATCH = 8  # runs of a store: a page lists them all, and the page of runs compares so many


def held(run: RunFolder) -> str:
    """What a run holds but for the moment of its coming: equal ones are looked at once."""
    about = {name: value for name, value in run.about().items() if name not in ("created", "imported")}
    files = {path.relative_to(run.path): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    files.pop(Path("run.json"))
    return repr((about, sorted(files.items())))


@pytest.mark.timeout(600)
def test_each_that_was_taken_is_harmless_on_every_page(kept, home, monkeypatch):
    """As whoever opens the page with that run: no bug, no traceback; and the server holds no more afterwards."""
    store = RunStore()
    runs = list({held(store.get(id)): store.get(id) for id in kept}.values())
    runs = runs[:: -(-len(runs) // LOOKED_AT)]
    before = 0
    for number, first in enumerate(range(0, len(runs), BATCH)):
        monkeypatch.setenv("PLAYGROUND_HOME", str(home / f"batch-{number}"))
        batch = RunStore()
        for run in runs[first : first + BATCH]:
            shutil.move(run.path, batch.root / run.id)
        for run, (page, parameter) in itertools.product(runs[first : first + BATCH], PAGES.items()):
            visit(page, **{parameter: run.id})
        visit("runs", runs=",".join(run.id for run in runs[first : first + BATCH]))
        gc.collect()
        before = before or psutil.Process().memory_info().rss
    assert psutil.Process().memory_info().rss - before <= SERVER


def visit(page: str, **query: str) -> None:
    app = AppTest.from_function(show, default_timeout=60, args=(page,))
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    said = [error.value for error in app.error]
    assert not app.exception and not [each for each in said if "Something went wrong" in each], (
        page,
        query,
        said,
    )
