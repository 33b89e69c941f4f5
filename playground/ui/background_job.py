"""Work in a thread that a page started: it goes on when the page is looked at anew, and can be stopped."""

import threading

from models.spec import SpecError
from playground.core.errors import Message, PlaygroundError


class Job:
    """One piece of work; a subclass says in `work` what is done, after setting what that needs.

    Attributes:
        error: why it ended, in the person's words; None while it works and after it succeeded.
    """

    def __init__(self) -> None:
        self.error: PlaygroundError | SpecError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def work(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.work()
        except (PlaygroundError, SpecError) as error:
            self.error = error
        except Exception as error:  # a thread has no page to show a bug on
            self.error = PlaygroundError(Message("Something went wrong inside: {error}.", error=error), "The server's log tells more.")
            raise

    def stop(self) -> None:
        """Asks it to end; what it calls looks at `is_stopped`."""
        self._stop.set()

    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def wait(self) -> None:
        """Until it is over."""
        self._thread.join()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()
