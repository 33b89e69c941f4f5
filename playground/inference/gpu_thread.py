"""One thread for everything that ONNX Runtime does on a GPU.

ONNX Runtime keeps a stream, library handles and captured CUDA graphs for every thread that runs a session, and it never
releases them where graphs are captured: a server that answers each visitor in new threads would fill the GPU's memory. Also,
work of another thread would break a capture in progress. So all work goes to this thread, in large pieces: handing over takes
some tens of microseconds.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_here = threading.local()
_making = threading.Lock()
_executor: ThreadPoolExecutor | None = None


def is_here() -> bool:
    """Whether the caller runs in the GPU thread."""
    return getattr(_here, "is_it", False)


def on_gpu(work: Callable[..., Any], *arguments: Any) -> Any:
    """Calls ``work(*arguments)`` in the GPU thread and waits; returns its result, or raises what it raises."""
    if is_here():
        return work(*arguments)
    return _thread().submit(work, *arguments).result()


def _thread() -> ThreadPoolExecutor:
    global _executor
    with _making:
        if _executor is None:
            _executor = ThreadPoolExecutor(1, "gpu", lambda: setattr(_here, "is_it", True))
        return _executor


def _forget() -> None:
    """Starts anew in a forked process, which has neither the thread nor the holder of the lock."""
    global _executor, _making
    _executor, _making = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
