"""One thread for all that ONNX Runtime does on a GPU.

It keeps a stream, library handles and captured CUDA graphs for every thread that runs a session, and where graphs are captured
it never gives them back: a server, which answers each visitor in new threads, would fill the card. And while one thread
captures, what another does on the card would spoil it. So everybody hands their work to this thread, as much of it at once as
they can: handing over takes some tens of microseconds.
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
    """Whether this is that thread."""
    return getattr(_here, "is_it", False)


def on_gpu(work: Callable[..., Any], *arguments: Any) -> Any:
    """Does the work there and waits for it; gives what it gives, and raises what it raises."""
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
    """A forked process has not got the thread, nor who held the lock."""
    global _executor, _making
    _executor, _making = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
