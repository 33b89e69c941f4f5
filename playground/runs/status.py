"""Where a run stands, and who says so: what ``status.json`` holds."""

import socket
import time
from dataclasses import dataclass, fields
from typing import Any

from playground.core import process
from playground.core.errors import from_json

STATES = ("created", "queued", "preparing", "running", "paused", "stopped", "finished", "failed", "interrupted")
WRITTEN = STATES[:-1]  # "interrupted" is found out
ACTIVE = ("preparing", "running")
LOST_AFTER = 60.0  # seconds without a heartbeat after which a process on another machine counts as dead
SETTLING = 5.0  # seconds in which a queued run may have no ticket yet


@dataclass(frozen=True)
class Status:
    """Where a run stands. ``state`` is one of STATES; "interrupted" is never written, always found out.

    ``heartbeat`` (seconds since 1970) is the last sign of life of process ``pid``. ``queue_place`` is how
    many turns away the run is while it is queued: 1 is next. ``note`` is free for whoever trains.
    """

    state: str = "created"
    step: int = 0
    steps: int = 0
    message: str = ""
    hint: str = ""
    device: str = ""
    pid: int | None = None
    birth: str | None = None
    host: str = ""
    started: float | None = None
    finished: float | None = None
    loss: float | None = None
    val_loss: float | None = None
    tokens_per_second: float | None = None
    note: dict[str, Any] | None = None
    heartbeat: float = 0.0
    queue_place: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether a living process works on the run."""
        return self.state in ACTIVE

    @property
    def silence(self) -> float:
        """Seconds since the last heartbeat; many while active means that the process is stuck or asleep."""
        return max(0.0, time.time() - self.heartbeat) if self.heartbeat else 0.0


DERIVED = ("heartbeat", "queue_place")
STORED = tuple(f.name for f in fields(Status) if f.name not in DERIVED)
MOST = 10**12  # steps


def stored(said: Any) -> Status:
    """What ``status.json`` holds; a value that cannot be counts as not said, as the file may be damaged or anybody's.

    Raises:
        ValueError: when it is no object, or tells a state that there is none of.
    """
    if not isinstance(said, dict) or said.get("state", "created") not in WRITTEN:
        raise ValueError("no status")
    said = from_json(said)
    return Status(**{name: said[name] for name in STORED if name in said and _can_be(name, said[name])})


def _can_be(name: str, value: Any) -> bool:
    if name in ("step", "steps"):
        return type(value) is int and 0 <= value <= MOST
    if name in ("state", "message", "hint", "device", "host"):
        return isinstance(value, str)
    if name == "pid":
        return value is None or (type(value) is int and 0 < value < 2**31)
    if name == "birth":
        return isinstance(value, str | None)
    if name == "note":
        return isinstance(value, dict | None)
    return value is None or (type(value) in (int, float) and abs(value) < 1e15)  # NaN is not


def signature(state: str, before: Status) -> dict[str, Any]:
    """What changes with the state: who works on the run, since when, and when it ended."""
    now = time.time()
    if state not in ACTIVE:
        ended = now if before.state in ACTIVE else before.finished
        return {"pid": None, "birth": None, "finished": None if state == "queued" else ended}
    pid, birth = process.myself()
    same = before.state in ACTIVE and before.pid == pid and before.birth == birth
    started = before.started if same else now
    return {
        "pid": pid,
        "birth": birth,
        "host": socket.gethostname(),
        "started": started,
        "finished": None,
        "message": "",
        "hint": "",
    }


def lives(status: Status) -> bool:
    """Whether the process that signed an active status still lives."""
    if status.host == socket.gethostname():
        return process.is_alive(status.pid, status.birth)
    return status.silence < LOST_AFTER  # another machine's processes cannot be looked up
