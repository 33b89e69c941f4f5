"""One thread does all the work on a GPU."""

import threading

import pytest

from playground.inference.gpu_thread import is_here, on_gpu


def test_everybody_works_in_the_one_thread_that_has_the_gpu():
    """Also work that hands over more work; what goes wrong there is raised here."""
    found = []
    inside = lambda: (is_here(), on_gpu(threading.get_ident))
    threads = [threading.Thread(target=lambda: found.append(on_gpu(inside))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1 and found[0][0] and not is_here()
    with pytest.raises(ZeroDivisionError):
        on_gpu(lambda: 1 / 0)
