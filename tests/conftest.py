"""What all tests share: a home of their own, and small things to train."""

import importlib.util
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

# Set before anything of the playground is imported: no test may touch a person's runs.
os.environ["PLAYGROUND_HOME"] = tempfile.mkdtemp(prefix="playground-tests-")
os.environ["PLAYGROUND_GUARDED"] = "1"  # as the app's processes are
os.environ["PLAYGROUND_READ"] = tempfile.gettempdir()  # where tests write the texts they train on

from playground.runs.submit import SETTINGS

for name, value in SETTINGS.items():
    os.environ.setdefault(name, value)

import pytest  # noqa: E402

from models.spec import ModelSpec  # noqa: E402
from playground.runs.config import RunConfig, TrainingSpec  # noqa: E402
from playground.runs.store import RunStore  # noqa: E402
from playground.text.spec import DataSpec, TokenizerSpec  # noqa: E402

HOME = Path(os.environ["PLAYGROUND_HOME"])
SMALL = {"d_model": 32, "n_layers": 1, "n_heads": 2, "context_length": 16}
QUICK = {
    "steps": 12,
    "batch_size": 4,
    "warmup_steps": 2,
    "eval_every": 6,
    "eval_batches": 2,
    "sample_every": 6,
    "sample_max_new_tokens": 8,
    "threads": 1,
}


SLOW = (
    "tests/app/",
    "tests/browser/",
    *(
        f"tests/unit/{name}"
        for name in (
            "benchmarks/",
            "cli/",
            "core/test_limited_process.py",
            "core/test_paths.py",
            "core/test_terminal.py::test_a_training_on_a_terminal",
            "finetune/test_mutants.py",
            "finetune/test_sandboxed_import.py",
            "generation/test_exported.py",
            "huggingface/",
            "inference/test_attention_session.py",
            "inference/test_device_generator.py",
            "inference/test_device_sampling.py",
            "inference/test_engine.py",
            "inference/test_fused_decoder.py",
            "inference/test_open_model.py",
            "inference/test_rnn_decoder.py",
            "onnx_export/",
            "runs/test_curves.py::test_many_rows_at_once",
            "runs/test_dispatcher.py",
            "test_torch_build.py",
            "text/test_documents.py",
            "text/test_prepare_job.py",
            "text/test_size_limits.py",
            "training/test_apply_finetuning.py",
            "training/test_architecture_comparison.py",
            "training/test_dispatcher.py",
            "training/test_distributed.py",
            "training/test_graphs.py",
            "training/test_look.py",
            "training/test_look_tensors.py::test_every_tensor",
            "training/test_trainer.py",
            "training/test_worker_",
        )
    ),
)
"""Folders, files and tests that `make test-fast` leaves out: they open pages, train, export or start processes for seconds.

A single slow test elsewhere is marked by itself: ``@pytest.mark.slow``.
"""


@pytest.fixture(autouse=True)
def on_guard(monkeypatch):
    """As in the app's processes; the command line changes it for the whole process."""
    monkeypatch.setenv("PLAYGROUND_GUARDED", "1")


@pytest.fixture(autouse=True, scope="session")
def packages_are_searched_once():
    """Streamlit's tester looks through all installed packages for components each time that it runs a page: six times as long
    as the page takes. They stay the same.
    """
    if importlib.util.find_spec("streamlit") is None:
        yield
        return
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True, scope="module")
def runs_of_this_file_alone():
    """What a file's tests train goes with the file: the next one may count the runs, or delete them all.

    (One that a test left "running" is held for alive as long as this process lives, and cannot be deleted by the page.)
    """
    yield
    for folder in ("runs", "trash", "queue"):
        shutil.rmtree(HOME / folder, ignore_errors=True)


@pytest.fixture
def new_run():
    """``new_run(model={...}, training={...}, data={...})``: a small run's folder, ready to train."""

    def make(model: dict | None = None, training: dict | None = None, data: dict | None = None, **config):
        return RunStore().create(
            RunConfig(
                name="a small run",
                model=ModelSpec(**{"architecture": "decoder", **SMALL, **(model or {})}),
                data=DataSpec(
                    **{
                        "corpus": "python-docs",
                        "tokenizer": TokenizerSpec("char"),
                        "max_bytes": 60_000,
                        **(data or {}),
                    }
                ),
                training=TrainingSpec(**{**QUICK, **(training or {})}),
                **config,
            )
        )

    return make


@pytest.fixture(scope="session")
def doorkeeper(tmp_path_factory):
    """A process that forks the children which open what was brought: it has loaded what they need."""
    from tests.support.mutants import Doorkeeper

    made = Doorkeeper(tmp_path_factory.mktemp("doorkeeper"))
    yield made
    made.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items) -> None:
    """What is in `SLOW` is marked `slow`. What is marked `gpu` runs where PyTorch finds an NVIDIA GPU.

    (`python -m playground bench gpu --parts tests` runs these.)
    """
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_gpu():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU that PyTorch can use here"))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_runtest_setup(item) -> None:
    """Beside the browser, other tests take one core, and step back when it wants both."""
    if "PYTEST_XDIST_WORKER" in os.environ and "tests/browser" not in item.nodeid and os.cpu_count() != 1:
        import torch

        os.cpu_count = lambda: 1
        torch.set_num_threads(1)
        os.nice(5)


BESIDE = tuple(f"tests/browser/test_{name}.py" for name in ("accessibility", "strangers", "damaged_runs"))
"""Tests in the browser that the other process takes, with a browser of its own: nothing in them is a matter of speed."""
FIRST = ("browser", "tests/unit/finetune/test_mutants.py", "beside", "tests/app/test_explore.py")
"""What takes longest, begun first: so both processes end at about the same moment."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where two processes share the tests (`make test`), each takes whole files, so that what a file shares is made once.

    One begins with those in the browser, which share a server, but for a few. (xdist's own groups would say so, but pytest
    9.2 does not let it.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        ordered = False

        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(BESIDE):
                return "beside"
            return "browser" if nodeid.startswith("tests/browser") else nodeid.partition("::")[0]

        def _assign_work_unit(self, node) -> None:
            if not self.ordered:
                for scope in reversed(FIRST):
                    if scope in self.workqueue:
                        self.workqueue.move_to_end(scope, last=False)
                self.ordered = True
            super()._assign_work_unit(node)

    return ByFile(config, log)


def pytest_sessionfinish() -> None:
    """Nothing that the tests started outlives them."""
    from playground.runs import submit

    submit.retire()
    shutil.rmtree(HOME, ignore_errors=True)
