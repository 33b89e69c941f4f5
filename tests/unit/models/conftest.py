"""Every test of the models starts from the same random numbers and finds `small_models` beside it."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these models are so small that a second thread only waits
    yield
    torch.set_num_threads(threads)
