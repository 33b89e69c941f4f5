"""The dispatcher with real processes; training is a stub, so that no test waits for torch but one."""

import os
import signal

import pytest

from playground.core import locks, process
from playground.runs import queue, submit


@pytest.fixture
def diary(home):
    def read():
        path = home / "diary"
        return path.read_text().splitlines() if path.exists() else []

    return read


@pytest.fixture
def three(store, config):
    return [store.create(config.replace(name=name)) for name in ("a", "b", "c")]


def go(home, run):
    (home / f"go-{run.id}").write_text("")


def test_runs_train_in_order_one_at_a_time(three, stub_worker, diary, until):
    stub_worker("quick")
    assert submit.submit(three[0]) in (0, 1)
    for run in three[1:]:
        submit.submit(run)
    until(lambda: all(run.status().state == "finished" for run in three))
    assert diary() == [f"{what} {run.id}" for run in three for what in ("begin", "end")]


def test_places_while_waiting_and_the_child_is_its_own(three, stub_worker, diary, until, home):
    stub_worker("until_told")
    for run in three:
        submit.submit(run)
    until(lambda: three[0].status().state == "running" and diary())
    assert [run.status().queue_place for run in three] == [None, 1, 2]
    assert queue.lines() == [queue.Line("cpu", (three[0].id,), (three[1].id, three[2].id))]
    _, _, pid, nice, session, folder = diary()[0].split()
    assert pid == session and int(nice) == min(19, os.nice(0) + 10) and folder == os.getcwd()
    assert pid != str(submit.dispatcher()["pid"])
    assert submit.submit(three[1]) == 1, "submitting again changes nothing"
    assert submit.submit(three[0]) == 0
    for run in three:
        go(home, run)
    until(lambda: three[2].status().state == "finished")
    assert "said by the worker" in three[0].log_path.read_text()


def test_kill_9_of_a_trainer_shows_and_the_next_begins(three, stub_worker, until, home):
    stub_worker("until_told")
    for run in three[:2]:
        submit.submit(run)
    pid = until(lambda: three[0].status().state == "running" and three[0].status().pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: three[0].status().state == "interrupted")
    until(lambda: three[1].status().state == "running")
    go(home, three[0])
    go(home, three[1])
    submit.submit(three[0])  # resumed
    until(lambda: all(run.status().state == "finished" for run in three[:2]))


def test_kill_9_of_the_dispatcher_harms_no_run(three, stub_worker, until, home):
    stub_worker("until_told")
    for run in three[:2]:
        submit.submit(run)
    until(lambda: three[0].status().state == "running")
    os.kill(submit.dispatcher()["pid"], signal.SIGKILL)
    until(lambda: not locks.is_locked(submit.lock_path()))
    submit.keep_warm()
    until(lambda: locks.is_locked(submit.lock_path()))
    assert three[0].status().state == "running" and three[1].status().queue_place == 1
    go(home, three[0])
    go(home, three[1])
    until(lambda: all(run.status().state == "finished" for run in three[:2]))


def test_runs_that_wait_when_the_dispatcher_is_killed_are_started_by_whoever_looks(
    three, stub_worker, diary, until, home
):
    stub_worker("until_told")
    for run in three:
        submit.submit(run)
    until(lambda: three[0].status().state == "running")
    killed = submit.dispatcher()
    assert not submit.revive(), "one lives"
    os.kill(killed["pid"], signal.SIGKILL)
    until(lambda: not submit.is_alive())
    for run in three:
        go(home, run)
    until(lambda: three[0].status().state == "finished")
    assert [run.status().queue_place for run in three[1:]] == [1, 2] and not submit.is_listening()
    assert [submit.revive() for _ in range(3)] == [True, False, False], "one is enough"
    until(lambda: all(run.status().state == "finished" for run in three))
    began = [line.split()[1] for line in diary() if line.startswith("begin")]
    assert began == [run.id for run in three], "each once, in the order of the queue"
    said = submit.dispatcher()
    assert said["pid"] != killed["pid"] and process.is_alive(said["pid"], said["birth"])


def test_two_servers_that_look_at_once_start_no_run_twice(three, stub_worker, diary, until, python, home):
    stub_worker("until_told")
    for run in three[:2]:
        submit.submit(run)
    until(lambda: three[0].status().state == "running")
    os.kill(submit.dispatcher()["pid"], signal.SIGKILL)
    until(lambda: not submit.is_alive())
    looks = "import sys; from playground.runs import submit; sys.stdin.readline(); print(submit.revive(), flush=True)"
    others = [python(looks) for _ in range(2)]
    for other in others:
        other.stdin.write("now\n")
        other.stdin.flush()
    assert "True\n" in [other.stdout.readline() for other in others]
    for run in three[:2]:
        go(home, run)
    until(lambda: three[1].status().state == "finished")
    assert [line.split()[1] for line in diary() if line.startswith("begin")] == [run.id for run in three[:2]]


def test_nobody_is_started_where_nobody_waits(store, stub_worker, config):
    stub_worker("quick")
    run = store.create(config)
    with queue.slot("cpu", run.id):
        assert not submit.revive() and not submit.is_alive()
        ticket, lock = queue._own_ticket("another-run", "cpu")
        assert not submit.revive(), "it waits by itself"
        ticket.path.unlink()
        os.close(lock)


def test_a_bug_in_the_worker_is_told(three, stub_worker, until):
    stub_worker("buggy")
    submit.submit(three[0])
    status = until(lambda: three[0].status().state == "failed" and three[0].status())
    assert "ZeroDivisionError" in status.message and "worker.log" in status.hint
    assert "a bug" in three[0].log_path.read_text()


def test_a_run_that_cannot_begin_fails_and_gives_way(three, stub_worker, until, monkeypatch):
    stub_worker("quick")
    monkeypatch.setenv("PLAYGROUND_SLOTS", "many")
    submit.submit(three[0])
    status = until(lambda: three[0].status().state == "failed" and three[0].status())
    assert "many" in status.message and status.hint and queue.tickets("cpu") == []


def test_a_waiting_run_can_be_taken_back_and_a_training_one_stopped(three, stub_worker, until):
    stub_worker("until_told")
    for run in three[:2]:
        submit.submit(run)
    until(lambda: three[0].status().state == "running")
    submit.halt(three[1])
    assert three[1].status().state == "created" and queue.place(three[1].id) is None
    submit.halt(three[0])
    until(lambda: three[0].status().state == "stopped")
    assert not submit.withdraw(three[0])


def test_a_second_run_is_started_by_the_same_dispatcher(three, stub_worker, until):
    stub_worker("quick")
    submit.submit(three[0])
    until(lambda: three[0].status().state == "finished")
    first = submit.dispatcher()
    submit.submit(three[1])
    until(lambda: three[1].status().state == "finished")
    assert first["pid"] and submit.dispatcher() == first


def test_a_command_line_run_waits_for_the_same_slot(three, stub_worker, until, home):
    stub_worker("until_told")
    submit.submit(three[0])
    until(lambda: three[0].status().state == "running")
    places = []

    def waiting(place):
        places.append(place)
        go(home, three[0])

    with queue.slot("cpu", three[1].id, waiting=waiting):
        assert places[0] == 1 and three[0].status().state == "finished"
        submit.submit(three[2])
        assert three[2].status().queue_place == 1
    until(lambda: three[2].status().state == "running")
    go(home, three[2])


def test_only_one_dispatcher(store, stub_worker, until):
    stub_worker("quick")
    submit.keep_warm()
    pid = until(lambda: submit.dispatcher().get("pid"))
    submit.launch()
    submit.keep_warm()
    assert submit.dispatcher()["pid"] == pid
    said = submit.dispatcher()
    submit.retire()
    until(lambda: not process.is_alive(said["pid"], said["birth"]))
    second = until(lambda: submit.dispatcher()["pid"] != pid and submit.dispatcher()["pid"])
    until(lambda: locks.is_locked(submit.lock_path()))
    assert second != pid


def test_ends_when_nobody_uses_it(store, stub_worker, until, monkeypatch):
    stub_worker("quick")
    monkeypatch.setenv("PLAYGROUND_DISPATCHER_IDLE", "0.3")
    submit.keep_warm()
    until(lambda: submit.dispatcher().get("pid"))
    until(lambda: not submit.is_alive())


def test_ends_when_its_home_is_gone(store, stub_worker, until, home):
    stub_worker("quick")
    submit.keep_warm()
    until(lambda: submit.wake() and submit.dispatcher().get("pid"))
    said = submit.dispatcher()
    handle = os.open(submit.wake_path(), os.O_WRONLY | os.O_NONBLOCK)
    os.rename(home, home.with_name("moved"))
    os.write(handle, b"!")
    os.close(handle)
    until(lambda: not process.is_alive(said["pid"], said["birth"]))
    assert not (home / "queue").exists()


def test_replaced_when_the_code_has_changed(three, stub_worker, until, monkeypatch):
    stub_worker("quick")
    submit.submit(three[0])
    until(lambda: three[0].status().state == "finished")
    old = submit.dispatcher()
    path = submit.lock_path().with_suffix(".json")
    path.write_text(path.read_text().replace(old["version"], "0" * 16))
    submit.submit(three[1])
    until(lambda: three[1].status().state == "finished")
    assert submit.dispatcher()["pid"] != old["pid"]
    assert not process.is_alive(old["pid"], old["birth"])


def test_without_fork_as_on_macos(three, stub_worker, diary, until, monkeypatch, home):
    monkeypatch.setenv("PLAYGROUND_FORK", "0")
    stub_worker("until_told")
    for run in three[:2]:
        submit.submit(run)
    pid = until(lambda: three[0].status().state == "running" and three[0].status().pid)
    assert queue.running("cpu") == [three[0].id] and os.getsid(pid) == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: three[0].status().state == "interrupted")
    go(home, three[1])
    until(lambda: three[1].status().state == "finished")


def test_backward_on_two_threads_works_in_every_fork(store, config, stub_worker, until, monkeypatch):
    """torch is imported before the fork; several children train at the same time."""
    monkeypatch.setenv("PLAYGROUND_SLOTS", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    stub_worker("one_step", module="tests.support.stub_torch")
    runs = [store.create(config) for _ in range(4)]
    for run in runs:
        submit.submit(run)
    until(lambda: all(run.status().state == "finished" for run in runs), seconds=60)
    curves = [[row["loss"] for row in run.metrics()[0]] for run in runs]
    assert all(curve == curves[0] and len(curve) == 3 for curve in curves)
    assert all(run.status().note == {"threads": 2} for run in runs)


def test_the_real_dispatcher_keeps_to_one_thread(store, stub_worker, until, monkeypatch):
    monkeypatch.delenv("PLAYGROUND_WORKER", raising=False)
    if not process.PROC.joinpath("self/task").exists():
        pytest.skip("needs /proc")
    submit.keep_warm()
    log = queue.root() / "dispatcher.log"
    until(lambda: "ready" in log.read_text() if log.exists() else False, seconds=60)
    assert "cannot import" not in log.read_text()
    pid = submit.dispatcher()["pid"]
    assert len(list(process.PROC.joinpath(str(pid), "task").iterdir())) == 1
