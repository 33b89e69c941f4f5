"""One run from its folder to its end: every way to end is a status and a sentence."""

import json

import pytest

from playground.core.errors import PlaygroundError
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.distributed import Group


def trained(run, **changes) -> tuple[str, list[tuple[str, dict]]]:
    """The state that a run ends in, and what was told meanwhile."""
    told: list[tuple[str, dict]] = []
    return worker.run(run, lambda kind, value: told.append((kind, value)), **changes), told


def raising(error: BaseException):
    def fail(*_, **__):
        raise error

    return fail


def test_a_run_ends_at_its_last_step_with_its_weights_and_its_tokenizer(new_run):
    run = new_run()
    state, told = trained(run)
    status = run.status()
    assert (state, status.state, status.step, status.steps) == ("finished", "finished", 12, 12)
    assert status.pid is None and not status.message
    assert run.checkpoints()[-1] == 12 and run.tokenizer_path.exists()
    assert [value["state"] for kind, value in told if kind == "status"][-1] != "failed"
    assert run.config().model.vocab_size == Tokenizer.load(run.tokenizer_path).size > 0


def test_a_run_that_somebody_trains_is_left_alone(new_run):
    run = new_run()
    run.update_status(state="running", step=7)
    with run.hold():
        state, told = trained(run)
    assert state == "failed" and run.status().step == 7 and run.status().state == "running"
    assert told[-1][1]["state"] == "failed" and told[-1][1]["message"]


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (PlaygroundError("The text is gone.", "Choose another."), "The text is gone.", "Choose another."),
        (MemoryError(), "There is not enough memory", "Try a smaller batch"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "There is not enough memory", "smaller model"),
        (OSError(28, "No space left on device"), "The disk is full", "Free some space"),
    ],
    ids=["ours", "memory", "memory of a GPU", "disk"],
)
def test_what_a_person_can_mend_is_a_sentence(error, message, hint, new_run, monkeypatch):
    run = new_run()
    monkeypatch.setattr(worker, "prepare", raising(error))
    state, told = trained(run)
    status = run.status()
    assert state == status.state == "failed" and message in status.message and hint in status.hint
    assert told[-1] == ("status", {"state": "failed", "message": status.message, "hint": status.hint})
    assert not run.log_path.exists() or "Traceback" not in run.log_path.read_text()


def test_a_mistake_of_ours_is_logged_with_its_traceback(new_run, monkeypatch):
    run = new_run()
    monkeypatch.setattr(worker, "prepare", raising(ZeroDivisionError("by nothing")))
    assert trained(run)[0] == "failed"
    assert "Something went wrong inside: by nothing" in run.status().message
    assert run.id in run.status().hint and "ZeroDivisionError: by nothing" in run.log_path.read_text()


def test_a_run_that_is_stopped_while_its_text_is_prepared_ends_without_training(new_run, monkeypatch):
    run, real = new_run(), worker.prepare

    def stopped_meanwhile(*arguments, **more):
        run.request("stop")
        return real(*arguments, **more)

    monkeypatch.setattr(worker, "prepare", stopped_meanwhile)
    assert trained(run)[0] == run.status().state == "stopped"
    assert not run.checkpoints() and not run.pending_requests(), "the next life is not stopped by it"


def test_a_run_that_goes_on_keeps_its_tokens_and_needs_no_text(new_run, monkeypatch):
    run = new_run()
    trained(run)
    tokens = run.tokenizer_path.read_bytes()
    run.write_config(run.config().replace(training=run.config().training.replace(steps=14)))
    monkeypatch.setattr(worker, "prepare", raising(AssertionError("the text was read again")))
    assert trained(run)[0] == "finished" and run.status().step == 14
    assert run.tokenizer_path.read_bytes() == tokens


def test_a_tokenizer_of_another_size_is_refused(new_run):
    """Its tokens would have no vectors: the file is another run's."""
    run = new_run()
    trained(run)
    about = json.loads((run.path / "run.json").read_text())
    about["model"]["vocab_size"] += 1
    about["training"]["steps"] = 14
    (run.path / "run.json").write_text(json.dumps(about))
    assert trained(run)[0] == "failed"
    size = about["model"]["vocab_size"]
    assert f"{size - 1} different tokens, but the model was trained with {size}" in run.status().message


@pytest.mark.parametrize("architecture", ["lstm-attention", "encoder-decoder"])
def test_a_model_of_pairs_on_running_text_is_refused(architecture, new_run):
    """Also where a run was made without asking: a copy, a line of another's."""
    run = new_run(model={"architecture": architecture}, training={"objective": "seq2seq"})
    assert trained(run)[0] == run.status().state == "failed"
    assert run.status().message == f"The architecture {architecture} reads pairs, and python-docs is running text."
    assert "task-reversal" in run.status().hint and not run.log_path.exists()


def test_only_the_leader_of_a_group_writes_a_status(new_run, monkeypatch):
    run = new_run()
    monkeypatch.setattr(worker, "_train", lambda folder, told, group: "finished")
    before = run.status()
    assert worker.run(run, group=Group(rank=1, world=2)) == "finished"
    assert run.status() == before
