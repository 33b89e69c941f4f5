"""Work in a thread: a page can be drawn again while it goes on, show how far it is, and stop it."""

import threading
from typing import Self

from playground.core.errors import Message, PlaygroundError, UserError


class BackgroundJob:
    """One piece of work in a thread of its own. A subclass says in `work` what is done; `start` begins it.

    Attributes:
        error: why it failed, in the person's words; None while it works and after it succeeded.
    """

    def __init__(self, name: str = "job") -> None:
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Begins the work."""
        self._thread.start()
        return self

    def work(self) -> None:
        """What is done in the thread; it asks `is_stopped` now and then."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.work()
        except UserError as error:
            self.error = error
        except Exception as error:  # a thread has no page to show a bug on
            self.error = PlaygroundError(
                Message("Something went wrong inside: {error}.", error=error), "The server's log tells more."
            )
            raise

    def stop(self) -> None:
        """Asks it to end."""
        self._stop.set()

    def is_stopped(self) -> bool:
        """Whether somebody asked it to end."""
        return self._stop.is_set()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until it is over, or for so many seconds."""
        self._thread.join(seconds)

    @property
    def is_over(self) -> bool:
        """Whether nothing runs: before the start, and after the end."""
        return not self._thread.is_alive()
