import json
import os
import threading
import time

import pytest

from playground.core import process
from playground.core.errors import PlaygroundError
from playground.runs import status
from playground.runs.folder import RunFolder


@pytest.fixture
def run(store, config):
    return store.create(config)


def test_a_new_run_knows_its_config_and_its_making(run, config):
    assert run.config() == config
    assert run.name == "first try"
    about = run.about()
    assert time.time() - about["created"] < 60 and "torch" in about["versions"]
    assert run.status().state == "created"


def test_config_keeps_what_else_run_json_says(run, config):
    run.write_config(config, data_shape="stream")
    run.write_config(config.replace(name="other"))
    assert run.about()["data_shape"] == "stream" and run.name == "other"


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", "[" * 100_000])
def test_a_damaged_run_json_is_an_error_in_words(run, damage):
    (run.path / "run.json").write_text(damage)
    with pytest.raises(PlaygroundError):
        run.config()


def test_status_is_signed_by_who_trains(run):
    run.update_status(state="running", step=3, steps=10)
    told = run.status()
    assert (told.state, told.step, told.pid) == ("running", 3, os.getpid())
    assert told.is_active and told.silence < 5 and told.started
    run.update_status(step=4)
    assert run.status().started == told.started
    run.update_status(state="finished")
    told = run.status()
    assert told.state == "finished" and told.pid is None and told.finished and told.step == 4


def test_unknown_status_is_a_bug(run):
    with pytest.raises(ValueError):
        run.update_status(stat="running")
    with pytest.raises(ValueError):
        run.update_status(state="interrupted")


def test_status_torn_by_a_power_cut_is_no_status(run):
    (run.path / "status.json").write_text('{"state": "runn')
    assert run.status().state == "created"
    run.update_status(state="running")
    assert run.status().state == "running"


def test_killed_process_shows_as_interrupted(run, python, until):
    code = "import sys; from playground.runs.folder import RunFolder as R; r = R(sys.argv[1])\n"
    child = python(code + "r.update_status(state='running', step=7); print('on', flush=True); input()", run.path)
    assert child.stdout.readline() == "on\n"
    assert run.status().state == "running" and run.status().pid == child.pid
    child.kill()
    until(lambda: run.status().state == "interrupted")  # also while it is a zombie: nobody has waited for it
    assert run.status().step == 7
    child.wait()
    assert run.status().state == "interrupted"


def test_reused_pid_does_not_pass_for_the_trainer(run):
    run.update_status(state="running")
    path = run.path / "status.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "birth": said["birth"] + "1"}))  # this pid, another process
    assert run.status().state == "interrupted"


def test_a_process_name_with_brackets_and_spaces_is_read_right(python, tmp_path):
    code = (
        "import ctypes; ctypes.CDLL(None).prctl(15, b') S 1 (x y', 0, 0, 0)\n"  # PR_SET_NAME
        "print('on', flush=True); input()"
    )
    if not process.PROC.joinpath("self/stat").exists():
        pytest.skip("needs /proc")
    child = python(code)
    child.stdout.readline()
    birth = process.birth_of(child.pid)
    assert birth and birth.partition(":")[2].isdigit() and process.is_alive(child.pid, birth)
    child.kill()
    child.wait()
    assert not process.is_alive(child.pid, birth)


def test_without_proc_ps_tells(monkeypatch, tmp_path, python):
    import shutil

    if not shutil.which("ps"):
        pytest.skip("needs ps")
    monkeypatch.setattr(process, "PROC", tmp_path)
    child = python("input()")
    birth = process.birth_of(child.pid)
    assert birth and process.is_alive(child.pid, birth)
    child.kill()
    child.wait()  # a signal is on its way for a moment: only who has waited knows that the process is gone
    assert not process.is_alive(child.pid, birth)


def test_another_machines_trainer_lives_by_its_heartbeat(run, monkeypatch):
    monkeypatch.setattr(status.socket, "gethostname", lambda: "elsewhere")
    run.update_status(state="running", pid=1)
    monkeypatch.undo()
    assert run.status().state == "running"
    old = time.time() - status.LOST_AFTER - 1
    os.utime(run.path / "status.json", (old, old))
    assert run.status().state == "interrupted"
    run.beat()
    assert run.status().state == "running"


def test_queued_without_a_ticket_does_not_wait_for_ever(run):
    run.update_status(state="queued")
    assert run.status().state == "queued"
    old = time.time() - status.SETTLING - 1
    os.utime(run.path / "status.json", (old, old))
    assert run.status().state == "created"


def test_only_one_process_trains_a_run(run, python):
    with run.hold(), pytest.raises(PlaygroundError, match="another process"), run.hold():
        pass
    code = "import sys; from playground.runs.folder import RunFolder as R\n"
    child = python(code + "with R(sys.argv[1]).hold(): print('on', flush=True); input()", run.path)
    child.stdout.readline()
    with pytest.raises(PlaygroundError), run.hold():
        pass
    child.kill()
    child.wait()
    with run.hold():
        pass


def test_requests_are_taken_in_order_and_stop_first(run):
    assert run.read_request() is None
    run.request({"lr_scale": 0.5})
    run.request("pause")
    assert run.pending_requests() == [{"lr_scale": 0.5}, "pause"]
    assert run.read_request() == {"lr_scale": 0.5}
    assert run.read_request() == "pause"
    assert run.read_request() is None
    run.request("pause")
    run.request("stop")
    assert run.read_request() == "stop"
    assert run.read_request() is None
    run.request("stop")
    run.clear_requests()
    assert run.read_request() is None


def test_no_request_is_lost_between_two_writers_and_a_reader(run, python):
    code = (
        "import sys; from playground.runs.folder import RunFolder as R; r = R(sys.argv[1])\n"
        "for i in range(40): r.request({'lr_scale': int(sys.argv[2]) + i})\nprint('done', flush=True)"
    )
    children = [python(code, run.path, base) for base in (1000, 2000)]
    done = threading.Event()
    threading.Thread(target=lambda: ([c.stdout.readline() for c in children], done.set())).start()
    taken = []
    while not done.is_set() or run.pending_requests():
        if (request := run.read_request()) is not None:
            taken.append(request["lr_scale"])
    assert sorted(taken) == [base + i for base in (1000, 2000) for i in range(40)]
    assert [n for n in taken if n < 2000] == sorted(n for n in taken if n < 2000)


def test_rewind_forgets_what_came_after(run):
    run.append_metrics(*({"kind": "train", "step": step} for step in range(10)))
    run.append_sample({"step": 2, "text": "a"})
    run.append_sample({"step": 8, "text": "b"})
    follower = run.follow()
    assert follower.update() and len(follower.rows) == 10
    run.rewind(4)
    run.append_metrics({"kind": "train", "step": 5, "again": True})
    assert follower.update()
    assert [row["step"] for row in follower.rows] == [0, 1, 2, 3, 4, 5] and follower.rows[-1]["again"]
    assert [row["text"] for row in run.samples()] == ["a"]
    assert not follower.update()


def test_metrics_from_an_offset(run):
    run.append_metrics({"step": 1})
    rows, offset = run.metrics()
    assert rows == [{"step": 1}]
    run.append_metrics({"step": 2})
    assert run.metrics(offset)[0] == [{"step": 2}]


def test_a_run_that_is_gone_says_so(tmp_path):
    gone = RunFolder(tmp_path / "gone")
    assert not gone.exists and gone.status().state == "created" and gone.checkpoints() == []
    with pytest.raises(PlaygroundError, match="no run gone"):
        gone.config()
