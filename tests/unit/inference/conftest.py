"""Exports of small models, each made once, and ONNX Runtime on a double of a GPU."""

import pytest

from models.spec import ModelSpec
from tests.support.gpu_double import gpu  # noqa: F401
from tests.support.made_exports import lively, write_export


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """``exports(spec, precisions)``: the model and its folder, each made once."""
    made: dict = {}

    def make(spec: ModelSpec, precisions=("fp32",), fused: bool = True, times: float = 4.0):
        key = repr((spec, precisions, fused, times))
        if key not in made:
            model = lively(spec, times)
            made[key] = model, write_export(model, tmp_path_factory.mktemp("export") / "run", precisions, fused)
        return made[key]

    return make
