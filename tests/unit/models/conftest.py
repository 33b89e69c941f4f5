"""Every test of the models starts from the same random numbers."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these models are so small that a second thread only waits
    yield
    torch.set_num_threads(threads)
