"""One queue per device. Tickets say who is next; slots, held by flock, say who trains.

``queue/cpu/tickets/00000017.my-run-x7.json`` waits for a place; ``queue/cpu/slot-0`` is locked by the process
that trains and freed by the kernel when it ends, however it ends. A ticket is taken either by the dispatcher,
which trains runs in the background, or by the process that waits in ``slot()`` and holds its ticket locked: a
ticket whose owner died, or whose run is gone, is dropped and never stands in anybody's way.
"""

import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.core import locks
from playground.core.atomic import disk_errors, write_json
from playground.core.errors import PlaygroundError
from playground.core.paths import home

_NAME = re.compile(r"(\d{20})\.([A-Za-z0-9][A-Za-z0-9._-]{0,99})\.json")
_DEVICE = re.compile(r"[a-z]{1,10}")
_LOOK = 0.1  # seconds between two looks of a waiting process


@dataclass(frozen=True)
class Ticket:
    """A run's place in the queue of ``device``. ``folder`` is None where its owner waits for it itself."""

    path: Path
    device: str
    number: int
    run_id: str
    folder: Path | None
    working_folder: str

    @property
    def is_live(self) -> bool:
        """Whether somebody still wants this turn."""
        if self.folder is not None:
            return (self.folder / "run.json").exists()
        return locks.is_locked(self.path)


@dataclass(frozen=True)
class Line:
    """What a person sees of one device's queue: ids of runs, in order."""

    device: str
    running: tuple[str, ...]
    waiting: tuple[str, ...]


def root() -> Path:
    """The folder of all queues."""
    path = home() / "queue"
    path.mkdir(exist_ok=True)
    return path


def device_for(asked: str) -> str:
    """The queue that a run's device ("auto", "cpu", "cuda:0" …) belongs to, found without importing torch.

    A wrong guess only puts the run into another line; where it trains is the worker's decision.
    """
    name = asked.partition(":")[0]
    if name != "auto":
        return name
    if sys.platform == "darwin":
        return "mps" if os.uname().machine == "arm64" else "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return "cuda" if Path("/dev/nvidiactl").exists() and not hidden and _torch_has_cuda() else "cpu"


def _torch_has_cuda() -> bool:
    from importlib import metadata

    with suppress(metadata.PackageNotFoundError):
        return "+cpu" not in metadata.version("torch")
    return False


def slots() -> int:
    """How many runs may train on a device at once: ``$PLAYGROUND_SLOTS``, or 1."""
    asked = os.environ.get("PLAYGROUND_SLOTS", "1")
    if not (asked.isascii() and asked.isdigit()) or not 1 <= int(asked) <= 64:
        raise PlaygroundError("PLAYGROUND_SLOTS is {asked!r}.", "Set it to a whole number from 1 to 64.", asked=asked)
    return int(asked)


# Reading: what pages show


def devices() -> list[str]:
    """The devices that have or had a queue."""
    return sorted(entry.name for entry in os.scandir(root()) if entry.is_dir() and _DEVICE.fullmatch(entry.name))


def tickets(device: str) -> list[Ticket]:
    """The live tickets of a device, the next one first."""
    return [ticket for ticket in _all_tickets(device) if ticket.is_live]


def _all_tickets(device: str) -> list[Ticket]:
    try:
        names = sorted(os.listdir(root() / device / "tickets"))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        path = root() / device / "tickets" / name
        if match := _NAME.fullmatch(name):
            with suppress(OSError, ValueError, TypeError, AttributeError):  # taken this moment, or damaged
                said = json.loads(path.read_text())
                folder = Path(said["folder"]) if said.get("folder") else None
                cwd = str(said.get("working_folder") or "/")
                found.append(Ticket(path, device, int(match[1]), match[2], folder, cwd))
    return found


def place(run_id: str) -> int | None:
    """How many turns away a run is: 1 is next; None when it does not wait."""
    for device in devices():
        waiting = [ticket.run_id for ticket in tickets(device)]
        if run_id in waiting:
            return waiting.index(run_id) + 1
    return None


def has_waiting() -> bool:
    """Whether runs wait that the dispatcher has to start; those whose own process waits need none."""
    return any(ticket.folder is not None for device in devices() for ticket in tickets(device))


def running(device: str) -> list[str]:
    """Ids of the runs whose processes hold a slot."""
    held = [path for path in sorted((root() / device).glob("slot-*")) if locks.is_locked(path)]
    return [text for path in held if (text := path.read_text().strip())]


def lines() -> list[Line]:
    """All queues as they stand."""
    return [
        Line(device, tuple(running(device)), tuple(ticket.run_id for ticket in tickets(device))) for device in devices()
    ]


# Taking a place


def enqueue(run_id: str, device: str, folder: Path) -> Ticket:
    """A ticket for the dispatcher; the one there is, if the run waits already.

    Raises:
        PlaygroundError: when the disk is full.
    """
    with _ordered():
        for known in devices():
            for ticket in tickets(known):
                if ticket.run_id == run_id:
                    return ticket
        path = _new_ticket_path(run_id, device)
        folder = Path(folder).absolute()
        write_json(path, {"folder": str(folder), "working_folder": os.getcwd()})
    return Ticket(path, device, int(path.name[:20]), run_id, folder, os.getcwd())


def withdraw(run_id: str) -> bool:
    """Takes a run's dispatcher ticket back; whether there was one."""
    with _ordered():
        mine = [t for d in devices() for t in _all_tickets(d) if t.run_id == run_id and t.folder is not None]
        for ticket in mine:
            ticket.path.unlink(missing_ok=True)
    return bool(mine)


@contextmanager
def slot(device: str, run_id: str, waiting: Callable[[int], Any] | None = None, look: float = _LOOK) -> Iterator[None]:
    """Waits for this process's turn on ``device`` and holds it: ``with queue.slot("cpu", run.id): train()``.

    Args:
        waiting: called with the place in the queue (1 is next) at every look while it must wait; may raise to
            give up.

    Raises:
        PlaygroundError: when the run waits or trains already, or the disk is full.
    """
    ticket, ticket_lock = _own_ticket(run_id, device)
    try:
        while (taken := take(device, ticket)) is None:
            if waiting is not None:
                waiting(place(run_id) or 1)
            time.sleep(look)
    finally:
        ticket.path.unlink(missing_ok=True)
        os.close(ticket_lock)
    try:
        yield
    finally:
        release(taken)


def take(device: str, ticket: Ticket, begin: Callable[[], Any] | None = None) -> int | None:
    """A slot for the ticket if it is the next one and a slot is free; never waits.

    Args:
        begin: called before the ticket is removed, to write that the run has begun: so a run is at every
            moment in the queue, running, or over.

    Returns:
        A file descriptor that is the slot: closed or dead, the slot is free.
    """
    with _ordered():
        live = tickets(device)
        for dead in {t.path for t in _all_tickets(device)} - {t.path for t in live}:
            dead.unlink(missing_ok=True)
        if not live or live[0].path != ticket.path:
            return None
        handles = (locks.try_lock(root() / device / f"slot-{number}") for number in range(slots()))
        handle = next((handle for handle in handles if handle is not None), None)
        if handle is None:
            return None
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, ticket.run_id.encode(), 0)
            if begin is not None:
                begin()
        except BaseException:
            os.close(handle)
            raise
        finally:
            ticket.path.unlink(missing_ok=True)
        return handle


def release(handle: int) -> None:
    """Frees a slot at once, even if a child process still has a copy of the descriptor."""
    os.ftruncate(handle, 0)
    fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _own_ticket(run_id: str, device: str) -> tuple[Ticket, int]:
    """A ticket held locked by this process: visible only once it is locked."""
    with _ordered(), disk_errors("taking a place in the queue"):
        if place(run_id) or run_id in (id for known in devices() for id in running(known)):
            raise PlaygroundError("{run_id} waits or trains already.", "Stop it there first.", run_id=run_id)
        path = _new_ticket_path(run_id, device)
        hidden = path.with_name(f".{path.name}")
        handle = locks.try_lock(hidden)
        assert handle is not None, "the queue is locked: nobody else makes this ticket"
        os.write(handle, json.dumps({"folder": None, "working_folder": os.getcwd()}).encode())
        os.rename(hidden, path)
    return Ticket(path, device, int(path.name[:20]), run_id, None, os.getcwd()), handle


def _new_ticket_path(run_id: str, device: str) -> Path:
    if not _DEVICE.fullmatch(device):
        raise PlaygroundError("There is no device {device!r}.", "Choose cpu, cuda or mps.", device=device)
    folder = root() / device / "tickets"
    folder.mkdir(parents=True, exist_ok=True)
    last = max((ticket.number for ticket in _all_tickets(device)), default=0)
    path = folder / f"{max(last + 1, time.time_ns()):020d}.{run_id}.json"
    if not _NAME.fullmatch(path.name):
        raise PlaygroundError("{run_id!r} cannot be a run's id.", run_id=run_id[:80])
    return path


@contextmanager
def _ordered() -> Iterator[None]:
    """One process at a time changes the queue."""
    with locks.locked(root() / "order.lock"):
        yield
