import os

import pytest

from playground.core import locks
from playground.core.errors import PlaygroundError
from playground.runs import queue

HOLD = (
    "import sys; from playground.runs import queue\n"
    "seen = set()\n"
    "def said(place):\n"
    "    if place not in seen: print('place', place, flush=True)\n"
    "    seen.add(place)\n"
    "with queue.slot('cpu', sys.argv[1], waiting=said, look=0.01):\n"
    "    print('in', flush=True); input()\n"
    "print('out', flush=True)"
)


@pytest.fixture
def holder(python):
    """``holder("a")`` is a process that waits for the slot, says "in", and leaves when told."""

    def start(run_id):
        return python(HOLD, run_id)

    return start


def leave(child):
    child.stdin.write("\n")
    child.stdin.flush()


def test_a_slot_is_held_and_freed(home):
    with queue.slot("cpu", "a"):
        assert queue.running("cpu") == ["a"] and queue.place("a") is None
    assert queue.running("cpu") == []
    assert queue.lines() == [queue.Line("cpu", (), ())]


def test_freed_when_training_fails(home):
    with pytest.raises(ZeroDivisionError), queue.slot("cpu", "a"):
        raise ZeroDivisionError
    with queue.slot("cpu", "a"):
        pass


def test_places_are_in_order_of_coming(holder, until):
    first = holder("a")
    assert first.stdout.readline() == "in\n"
    waiting = []
    for run_id in ("b", "c", "d"):
        waiting.append(holder(run_id))
        assert waiting[-1].stdout.readline() == f"place {len(waiting)}\n"
    assert [queue.place(run_id) for run_id in "abcd"] == [None, 1, 2, 3]
    assert queue.lines() == [queue.Line("cpu", ("a",), ("b", "c", "d"))]
    leave(first)
    b, c, d = waiting
    assert b.stdout.readline() == "in\n"
    assert c.stdout.readline() == "place 1\n" and d.stdout.readline() == "place 2\n"
    leave(b)
    assert c.stdout.readline() == "in\n" and d.stdout.readline() == "place 1\n"
    leave(c)
    assert d.stdout.readline() == "in\n"


def test_kill_9_of_the_holder_frees_the_slot_at_once(holder):
    first, second = holder("a"), None
    assert first.stdout.readline() == "in\n"
    second = holder("b")
    assert second.stdout.readline() == "place 1\n"
    first.kill()
    assert second.stdout.readline() == "in\n"
    assert queue.running("cpu") == ["b"]


def test_kill_9_of_who_waits_drops_the_ticket(holder, until):
    first = holder("a")
    assert first.stdout.readline() == "in\n"
    second, third = holder("b"), None
    assert second.stdout.readline() == "place 1\n"
    third = holder("c")
    assert third.stdout.readline() == "place 2\n"
    second.kill()
    assert third.stdout.readline() == "place 1\n"
    assert queue.place("b") is None
    leave(first)
    assert third.stdout.readline() == "in\n"
    assert list((queue.root() / "cpu" / "tickets").iterdir()) == []


def test_several_slots_and_devices(holder, home, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SLOTS", "2")
    for run_id in "ab":  # one after the other: two that come at once may wait a moment for each other's ticket
        assert holder(run_id).stdout.readline() == "in\n"
    third = holder("c")
    assert third.stdout.readline() == "place 1\n"
    assert sorted(queue.running("cpu")) == ["a", "b"]
    with queue.slot("cuda", "d"):
        assert [line.device for line in queue.lines()] == ["cpu", "cuda"]


def test_two_users_never_train_at_once(python):
    """Each adds to a number in a file, slowly: nothing is lost only if one is in at a time."""
    code = (
        "import sys; from playground.runs import queue; from playground.core.paths import home\n"
        "path = home() / 'count'\n"
        "for i in range(20):\n"
        "    with queue.slot('cpu', sys.argv[1], look=0.001):\n"
        "        n = int(path.read_text() or 0) if path.exists() else 0\n"
        "        path.write_text(str(n + 1))\n"
        "print('done', flush=True)"
    )
    children = [python(code, run_id) for run_id in ("a", "b", "c")]
    for child in children:
        assert child.stdout.readline() == "done\n"
    assert (queue.root().parent / "count").read_text() == "60"


def test_a_run_waits_once(home, store, config):
    run = store.create(config)
    ticket = queue.enqueue(run.id, "cpu", run.path)
    assert queue.enqueue(run.id, "cpu", run.path) == ticket
    assert queue.enqueue(run.id, "cuda", run.path) == ticket
    assert queue.place(run.id) == 1
    with pytest.raises(PlaygroundError, match="already"), queue.slot("cpu", run.id):
        pass
    assert queue.withdraw(run.id) and not queue.withdraw(run.id)
    with (
        queue.slot("cpu", run.id),
        pytest.raises(PlaygroundError, match="already"),
        queue.slot("cpu", run.id),
    ):
        pass


def test_a_deleted_run_stands_in_nobodys_way(store, config):
    first, second = store.create(config), store.create(config)
    queue.enqueue(first.id, "cpu", first.path)
    ticket = queue.enqueue(second.id, "cpu", second.path)
    assert queue.place(second.id) == 2
    os.rename(first.path, store.root.parent / "elsewhere")
    assert queue.place(second.id) == 1 and queue.place(first.id) is None
    handle = queue.take("cpu", ticket)
    assert handle is not None and queue.tickets("cpu") == []
    queue.release(handle)


def test_begin_is_told_while_the_ticket_is_still_there(store, config):
    run = store.create(config)
    ticket = queue.enqueue(run.id, "cpu", run.path)
    seen = []
    handle = queue.take("cpu", ticket, lambda: seen.append(queue.place(run.id)))
    assert seen == [1] and queue.place(run.id) is None
    assert queue.take("cpu", ticket) is None
    queue.release(handle)


def test_a_run_that_cannot_begin_frees_slot_and_place(store, config):
    run = store.create(config)
    ticket = queue.enqueue(run.id, "cpu", run.path)
    with pytest.raises(ZeroDivisionError):
        queue.take("cpu", ticket, lambda: 1 / 0)
    assert queue.running("cpu") == [] and queue.tickets("cpu") == []


def test_giving_up_while_waiting(home):
    def impatient(place):
        raise KeyboardInterrupt

    with queue.slot("cpu", "a"):
        with pytest.raises(KeyboardInterrupt), queue.slot("cpu", "b", waiting=impatient):
            pass
        assert queue.tickets("cpu") == []


def test_damaged_and_foreign_tickets_are_passed_over(store, config):
    run = store.create(config)
    queue.enqueue(run.id, "cpu", run.path)
    folder = queue.root() / "cpu" / "tickets"
    (folder / f"{1:020d}.bad.json").write_text("{")
    (folder / f"{2:020d}.worse.json").write_text("[]")
    (folder / "notes.txt").write_text("x")
    (queue.root() / "..evil").mkdir()
    assert queue.place(run.id) == 1 and queue.devices() == ["cpu"]


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", ".a", "a" * 200])
def test_ids_that_look_like_paths_get_no_ticket(home, run_id):
    with pytest.raises(PlaygroundError), queue.slot("cpu", run_id):
        pass
    with pytest.raises(PlaygroundError), queue.slot("../cpu", "a"):
        pass


def test_slots_must_be_a_number(home, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SLOTS", "many")
    with pytest.raises(PlaygroundError, match="many"):
        queue.slots()


def test_devices_are_told_without_torch(monkeypatch):
    assert queue.device_for("cpu") == "cpu" and queue.device_for("cuda:1") == "cuda"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert queue.device_for("auto") in ("cpu", "mps")


def test_a_look_at_a_lock_makes_and_keeps_nothing(tmp_path):
    assert not locks.is_locked(tmp_path / "lock") and list(tmp_path.iterdir()) == []
    handle = locks.try_lock(tmp_path / "lock")
    assert locks.is_locked(tmp_path / "lock") and locks.try_lock(tmp_path / "lock") is None
    os.close(handle)
    assert not locks.is_locked(tmp_path / "lock")


@pytest.mark.parametrize("said", ["²", "٣", "0", "65", "-1"])
def test_slots_are_a_whole_number(said, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SLOTS", said)
    with pytest.raises(PlaygroundError, match="PLAYGROUND_SLOTS"):
        queue.slots()
