"""Steps that are replayed are the steps that would have been made: with a double of CUDA graphs, and on CUDA."""

import contextlib
import csv
import inspect
import weakref
from dataclasses import replace
from unittest.mock import MagicMock, patch

import pytest
import torch
from safetensors.torch import load_file

from models.spec import ModelSpec
from playground.finetune.plan import plan
from playground.labelled.prepare import load_labelled
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.text.prepare import load
from playground.training import device as device_module
from playground.training import graphs, worker
from playground.training import trainer as trainer_module
from playground.training.batches import Batch
from playground.training.device import Device
from playground.training.trainer import Trainer
from tests.support.cuda_graph_double import Anew, Double, Event, NoWaiting, Tape, Waited, with_graphs

needs_cuda = pytest.mark.gpu
PAIRS = {"corpus": "task-addition"}
TWO = {"n_layers": 2}
RUNS = {
    "rnn, sgd": ({"architecture": "rnn"}, {"optimizer": "sgd"}, None),
    "sgd without momentum": ({}, {"optimizer": "sgd", "momentum": 0.0, "lr": 0.05}, None),
    "lstm, muon": ({"architecture": "lstm", **TWO}, {"optimizer": "muon"}, None),
    "gru both ways": ({"architecture": "gru", "bidirectional": True}, {"objective": "mlm"}, None),
    "decoder with dropout": ({"dropout": 0.1, **TWO}, {}, None),
    "decoder, muon, accumulated": ({}, {"optimizer": "muon", "gradient_accumulation_steps": 2}, None),
    "decoder, not clipped, decayed": ({}, {"grad_clip": 0.0, "weight_decay": 0.3, "schedule": "linear"}, None),
    "decoder, rotary, grouped": ({"position": "rotary", "n_kv_heads": 1, "mlp": "swiglu"}, {}, None),
    "decoder, alibi": ({"position": "alibi"}, {}, None),
    "encoder": ({"architecture": "encoder"}, {"objective": "mlm", "optimizer": "muon"}, None),
    "encoder of pairs": ({"architecture": "encoder"}, {"objective": "mlm"}, PAIRS),
    "encoder-decoder": ({"architecture": "encoder-decoder", "dropout": 0.1}, {"objective": "seq2seq"}, PAIRS),
    "encoder-decoder, accumulated": (
        {"architecture": "encoder-decoder", "context_length": 32},
        {"objective": "seq2seq", "gradient_accumulation_steps": 4, "batch_size": 16},
        {"corpus": "jupyterlab-zh"},
    ),
    "answers": ({}, {"loss_on": "completion", "gradient_accumulation_steps": 2}, PAIRS),
}


@pytest.fixture
def doubled(monkeypatch):
    """``doubled(recorder)``: from now on steps are replayed by a double."""

    def use(recorder=Double) -> list[Double]:
        Double.made.clear()
        monkeypatch.setattr(graphs, "recorder", recorder)
        monkeypatch.setattr(worker, "choose_device", with_graphs)
        return Double.made

    return use


def losses(folder) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in folder.metrics()[0] if row["kind"] == "train"}


def kept(folder) -> dict[str, torch.Tensor]:
    """Weights and optimizer state."""
    path = folder.latest_checkpoint()
    return {**load_file(path / "model.safetensors"), **load_file(path / "optimizer.safetensors")}


def assert_same_run(one, other) -> None:
    assert losses(one) == losses(other)
    theirs = kept(other)
    for name, tensor in kept(one).items():
        assert torch.equal(tensor, theirs[name]), name


def assert_close(one, other, rel: float = 1e-3) -> None:
    """Learning rates are float32 on the device, and texts are longer by their padding: the last digits differ."""
    theirs = losses(other)
    for step, loss in losses(one).items():
        assert loss == pytest.approx(theirs[step], rel=rel), step


@pytest.mark.parametrize("name", RUNS)
def test_replayed_steps_are_the_steps_themselves(new_run, doubled, name):
    model, training, data = RUNS[name]
    plain = new_run(model, training, data)
    assert worker.run(plain) == "finished", plain.status().message
    doubled(Anew)
    anew = new_run(model, training, data)
    assert worker.run(anew) == "finished", anew.status().message
    made = doubled()
    replayed = new_run(model, training, data)
    assert worker.run(replayed) == "finished", replayed.status().message
    (double,) = made
    assert double.replays == 12 and 1 <= double.recorded <= 4
    assert replayed.status().device.endswith("float32, CUDA graph")
    assert_same_run(replayed, anew)
    if not (data and model.get("dropout")):  # over padding too, dropout draws other numbers
        assert_close(replayed, plain)


@pytest.mark.parametrize(
    "name",
    ["decoder with dropout", "rnn, sgd", "decoder, muon, accumulated", "encoder of pairs", "encoder-decoder"],
)
def test_a_cut_run_goes_on_exactly_whenever_its_shapes_were_first_seen(new_run, doubled, name):
    model, training, data = RUNS[name]
    doubled()
    whole = new_run(model, training, data)
    worker.run(whole)
    cut = new_run(model, training, data)
    for at in (1, 3, 7):
        while len(losses(cut)) < at:
            cut.request("step")
            assert worker.run(cut) == "paused"
    assert worker.run(cut) == "finished"
    assert_same_run(whole, cut)


def test_a_shape_that_was_forgotten_is_recorded_again_with_the_same_result(new_run, doubled, monkeypatch):
    model, training, data = RUNS["encoder of pairs"]
    runs, recorded = [], []
    for most in (graphs.MAX_RECORDINGS, 1):
        monkeypatch.setattr(graphs, "MAX_RECORDINGS", most)
        doubles = doubled()
        runs.append(new_run(model, {**training, "steps": 24}, data))
        worker.run(runs[-1])
        recorded.append(doubles[0].recorded)
    assert recorded[1] > recorded[0] > 1
    assert_same_run(*runs)


class Busy(Double):
    """A device that is still at a replay until it is waited for; a recording must not be thrown away beneath it."""

    def __init__(self, device) -> None:
        super().__init__(device)
        self.busy, self.thrown = False, []

    def record(self, step):
        play, numbers = super().record(step)

        def replay() -> None:
            self.busy = True
            play()

        weakref.finalize(replay, lambda: self.thrown.append(self.busy))
        return replay, numbers

    def wait(self) -> None:
        self.busy = False


def test_a_recording_is_forgotten_only_when_the_device_is_done_with_it(new_run, doubled, monkeypatch):
    model, training, data = RUNS["encoder of pairs"]
    monkeypatch.setattr(graphs, "MAX_RECORDINGS", 1)
    made = doubled(Busy)
    run = new_run(model, {**training, "steps": 24}, data)
    assert worker.run(run) == "finished", run.status().message
    assert len(made[0].thrown) == made[0].recorded > 1 and not any(made[0].thrown)


def test_a_changed_learning_rate_reaches_a_recorded_step(new_run, doubled):
    runs = []
    for recorder in (Anew, Double):
        doubled(recorder)
        run = new_run(training={"schedule": "constant", "warmup_steps": 0, "steps": 8})
        for _ in range(3):
            run.request("step")
            worker.run(run)
        run.request({"lr_scale": 0.25})
        assert worker.run(run) == "finished"
        runs.append(run)
    rates = [row["lr"] for row in runs[1].metrics()[0] if row["kind"] == "train"]
    assert rates == pytest.approx([1e-3] * 3 + [2.5e-4] * 5)
    assert_same_run(*runs)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "said.csv"
    with open(path, "w", newline="") as file:
        rows = [(f"the row {'very ' * (i % 5)}{i} is {'up' if i % 3 else 'down'}", f"{i % 3 > 0}") for i in range(90)]
        csv.writer(file).writerows([("text", "label"), *rows])
    return LabelledSpec("file", path=str(path))


@pytest.mark.parametrize(
    "parent, tuned",
    [
        ({"architecture": "encoder"}, {"method": "all", "class_weights": "balanced", "layer_decay": 0.8}),
        ({}, {"method": "lora", "rank": 2}),
        ({"architecture": "encoder"}, {"method": "head"}),
    ],
)
def test_fine_tuning_is_replayed_too(new_run, doubled, table, parent, tuned):
    objective = "mlm" if parent else "clm"
    start = new_run({**parent, "context_length": 48}, {"objective": objective, "steps": 2})
    worker.run(start)
    runs = []
    for recorder in (Anew, Double):
        doubled(recorder)
        choices = {"steps": 9, "batch_size": 8, "eval_every": 3, "sample_every": 9}
        runs.append(type(start)(_tuned(start, table, tuned, choices).path))
        assert worker.run(runs[-1]) == "finished", runs[-1].status().message
    assert "CUDA graph" in runs[1].status().device and Double.made[0].replays == 9
    assert_same_run(*runs)


def _tuned(parent, table, tuned, choices):
    from playground.runs.store import RunStore

    return RunStore().create(plan(parent, FineTuneSpec("classify", table, **tuned), None, **choices))


def test_recurrent_models_that_are_told_of_padding_are_never_recorded(new_run, doubled, table):
    start = new_run({"architecture": "lstm", "context_length": 48}, {"steps": 2})
    worker.run(start)
    made = doubled()
    run = _tuned(start, table, {"method": "all"}, {"steps": 4, "batch_size": 8})
    assert worker.run(run) == "finished", run.status().message
    assert not made and "CUDA graph" not in run.status().device


def test_what_can_be_recorded_is_a_matter_of_settings_alone():
    decoder = ModelSpec("decoder", vocab_size=9, dropout=0.1, n_layers=2)
    lstm = decoder.replace(architecture="lstm")
    assert graphs.can_be_recorded(decoder, padded=True)
    assert graphs.can_be_recorded(lstm.replace(dropout=0.0), padded=False)
    assert graphs.can_be_recorded(lstm.replace(n_layers=1), padded=False)
    assert not graphs.can_be_recorded(lstm, padded=False)
    assert not graphs.can_be_recorded(lstm.replace(dropout=0.0), padded=True)


class Graph:
    """`torch.cuda.CUDAGraph`, on the double's tape."""

    def replay(self) -> None:
        self.tape.replay()


class Recording:
    """`torch.cuda.graph`, called as torch's own wants to be called."""

    made: list = []
    signature = inspect.signature(torch.cuda.graph.__init__)

    def __init__(self, *args, **kwargs) -> None:
        self.given = self.signature.bind(self, *args, **kwargs).arguments
        Recording.made.append(self.given)

    def __enter__(self) -> None:
        self.given["cuda_graph"].tape = Tape()
        self.given["cuda_graph"].tape.__enter__()

    def __exit__(self, *error) -> None:
        self.given["cuda_graph"].tape.__exit__(*error)
        self.given["cuda_graph"].tape.spoil()


def test_the_recorder_for_cuda_uses_torch_as_torch_is(new_run, doubled, monkeypatch):
    """Without a GPU: `Cuda` itself, where torch's graph, streams and events are doubles."""
    doubled(Anew)
    anew = new_run({"dropout": 0.1})
    worker.run(anew)
    stream = MagicMock(spec=torch.cuda.Stream)
    for name, double in {
        "CUDAGraph": Graph,
        "graph": Recording,
        "Stream": lambda device: stream,
        "Event": lambda blocking: Event(),
        "current_stream": lambda device: stream,
        "stream": lambda stream: contextlib.nullcontext(),
        "graph_pool_handle": lambda: (0, 1),
        "synchronize": lambda device: None,
        "empty_cache": lambda: None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, double)
    monkeypatch.setattr(graphs.Cuda, "pinned", lambda self, size: torch.empty(size, dtype=torch.uint8))
    monkeypatch.setattr(graphs, "recorder", graphs.Cuda)
    run = new_run({"dropout": 0.1})
    assert worker.run(run) == "finished", run.status().message
    assert "CUDA graph" in run.status().device
    assert_same_run(run, anew)
    (given,) = Recording.made
    assert given["stream"] is stream and given["pool"] == (0, 1) and given["capture_error_mode"] == "thread_local"
    assert stream.wait_stream.call_count == 2 * graphs.WARM_UPS


class Refusing(Double):
    """Ends a recording as CUDA does: the step's own error, then that of a recording that is no longer valid."""

    def record(self, step):
        try:
            step()
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")


class Halfway(Double):
    """Refuses when the gradients are there and no optimizer has used them."""

    def record(self, step):
        refusal = RuntimeError("operation not permitted when stream is capturing")
        with patch.object(Trainer, "update", side_effect=refusal):
            step()


@pytest.mark.parametrize("recorder", [Refusing, Halfway])
@pytest.mark.parametrize("name", ["decoder with dropout", "decoder, muon, accumulated"])
def test_what_cannot_be_recorded_trains_all_the_same_and_says_so_once(new_run, doubled, name, recorder):
    model, training, data = RUNS[name]
    doubled(Anew)
    anew = new_run(model, training, data)
    worker.run(anew)
    doubled(recorder)
    run = new_run(model, training, data)
    assert worker.run(run) == "finished", run.status().message
    assert_same_run(run, anew)
    assert "CUDA graph" not in run.status().device
    log = run.log_path.read_text()
    assert log.count("goes on without CUDA graphs") == 1 and "(operation not permitted" in log


@pytest.mark.parametrize("way", ["replayed", "kernel by kernel"])
def test_an_operator_that_is_not_repeatable_is_used_all_the_same_and_it_is_said(way, new_run, doubled, monkeypatch):
    """In strict mode torch raises within a backward pass, here at its very end; no gradient of that step may stay."""
    right = new_run()
    strict, update = [], Trainer.update

    @contextlib.contextmanager
    def exact(device):
        strict.append(device.strict)
        yield
        strict.pop()

    def refused(trainer):
        if strict[-1]:
            raise RuntimeError(
                f"some_backward {trainer_module.NOT_REPEATABLE}, but you set 'torch.use_deterministic_algorithms'"
            )
        return update(trainer)

    if way == "replayed":
        doubled()
    worker.run(right)
    monkeypatch.setattr(Device, "deterministic", exact)
    monkeypatch.setattr(Trainer, "update", refused)
    folder, said = new_run(), []
    assert worker.run(folder, lambda kind, value: said.append(value) if kind == "status" else None) == "finished"
    assert_same_run(folder, right)
    log = folder.log_path.read_text()
    assert log.count("differ in their last digits") == 1 and "(some_backward does not have a deterministic" in log
    assert "but you set" not in log
    device = folder.status().device
    assert "not repeatable" in device and ("CUDA graph" in device) == (way == "replayed")
    assert any("differ in their last digits" in str(value.get("message")) for value in said)


class Full(Double):
    """There is no memory for a recording, nor for anything while what it held of the memory is not given back."""

    lump: weakref.ref = staticmethod(lambda: None)

    def record(self, step):
        held = torch.ones(1)
        Full.lump = weakref.ref(held)
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. See documentation")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    def tidy(self) -> None:
        assert Full.lump() is None


class FullBeforehand(Full):
    def warm(self, step) -> None:
        with patch.object(Trainer, "update", side_effect=torch.OutOfMemoryError("CUDA out of memory")):
            step()


@pytest.mark.parametrize("recorder", [Full, FullBeforehand])
def test_a_step_that_fits_only_without_a_recording_is_made_without(new_run, doubled, recorder):
    doubled(Anew)
    anew = new_run()
    worker.run(anew)
    doubled(recorder)
    run = new_run()
    assert worker.run(run) == "finished", run.status().message
    assert_same_run(run, anew)
    assert "CUDA graph" not in run.status().device
    log = run.log_path.read_text()
    assert log.count("goes on without CUDA graphs") == 1 and "(not enough memory beside a copy of weights" in log


def test_too_little_memory_for_a_copy_of_the_weights_is_no_recording(doubled):
    """The copy is the first thing that may not fit; nothing has changed yet, and nothing is put back."""

    class Large:
        grad = None

        def detach(self):
            return self

        def clone(self):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    doubled()
    steps = graphs.StepGraphs(lambda batches: pytest.fail("a step"), [torch.ones(1), Large()], torch.device("cpu"))
    batch = Batch({"input_ids": torch.ones(2, 3, dtype=torch.int64)}, torch.ones(2), 2, 6)
    with pytest.raises(graphs.NotRecorded, match="not enough memory"):
        steps.run([batch], lambda: None)
    no_room = patch.object(graphs, "DeviceBuffer", side_effect=torch.OutOfMemoryError("CUDA out of memory"))
    with no_room, pytest.raises(graphs.NotRecorded, match="not enough memory"):
        steps.run([batch], lambda: None)
    assert not steps.known


def test_too_little_memory_also_without_a_recording_keeps_its_sentence(new_run, doubled, monkeypatch):
    def full(self, batches):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    doubled(Full)
    monkeypatch.setattr(Trainer, "whole_step", full)
    run = new_run()
    assert worker.run(run) == "failed"
    assert "not enough memory" in run.status().message and "smaller batch" in run.status().hint


class Chance:
    """A generator that a recording has: nothing can be drawn from it until the recording ends, or it gets another state."""

    state = "of a recording"

    def graphsafe_get_state(self) -> str:
        return "fresh"

    def graphsafe_set_state(self, state: str) -> None:
        self.state = state


@pytest.fixture
def cuda(monkeypatch):
    """`Cuda` where torch's streams and graphs are doubles, with ``current`` and ``chance``, its current stream and generator."""
    current, aside = (MagicMock(spec=torch.cuda.Stream) for _ in range(2))
    chance = Chance()
    for name, double in {
        "CUDAGraph": Graph,
        "graph": Recording,
        "Stream": lambda device: aside,
        "current_stream": lambda device: current,
        "stream": lambda stream: contextlib.nullcontext(),
        "graph_pool_handle": lambda: (0, 1),
        "default_generators": (None, chance),
    }.items():
        monkeypatch.setattr(torch.cuda, name, double)
    monkeypatch.setattr(torch, "Generator", lambda device: Chance())
    recorder = graphs.Cuda(torch.device("cuda", 1))
    recorder.current, recorder.chance = current, chance
    return recorder


def broken() -> None:
    raise RuntimeError("operation not permitted when stream is capturing")


def test_a_recording_that_broke_off_leaves_a_generator_to_draw_from(cuda):
    with pytest.raises(RuntimeError, match="not permitted"):
        cuda.record(broken)
    assert cuda.chance.state == "fresh"


def test_a_warming_step_that_broke_off_is_over_before_anything_is_put_back(cuda):
    """Its kernels go on changing weights on a stream of their own, whatever became of it on the host."""
    with pytest.raises(RuntimeError, match="not permitted"):
        cuda.warm(broken)
    cuda.current.wait_stream.assert_called_once_with(cuda.stream)


@pytest.mark.parametrize("way", [None, Double, Refusing])
def test_every_step_is_made_exactly_forwards_and_backwards(way, new_run, doubled, monkeypatch):
    """Warmed up, recorded, kernel by kernel after a recording failed, and without recordings at all."""
    exactly, seen = [], []

    @contextlib.contextmanager
    def exact(device):
        exactly.append(device)
        yield
        exactly.pop()

    def watch(name):
        original = getattr(Trainer, name)

        def watched(self, *args):
            seen.append((name, bool(exactly)))
            return original(self, *args)

        monkeypatch.setattr(Trainer, name, watched)

    monkeypatch.setattr(Device, "deterministic", exact)
    watch("backward")
    watch("update")
    if way:
        doubled(way)
    run = new_run()
    assert worker.run(run) == "finished", run.status().message
    assert set(seen) == {("backward", True), ("update", True)}


def trainer_of(folder) -> Trainer:
    config = folder.config()
    prepared = load(folder.about()["data_folder"])
    return Trainer(folder, config, prepared, with_graphs(config.training))


def test_no_step_waits_for_the_device(new_run, doubled, monkeypatch):
    run = new_run({"dropout": 0.1}, {"steps": 5})
    worker.run(run)
    run.write_config(run.config().replace(training=run.config().training.replace(steps=40)))
    doubled()
    trainer = trainer_of(run)
    trainer.model.train()

    def waits(self, *_):
        raise Waited("a number was read")

    with monkeypatch.context() as watched, NoWaiting():
        for name in ("tolist", "item", "cpu", "__bool__", "__float__", "__int__"):
            watched.setattr(torch.Tensor, name, waits)
        for _ in range(20):
            assert trainer.one_step() is None
    trainer.close()
    trainer.run_logger.flush()
    assert len(losses(run)) == 25 and not trainer.graphs.known


def test_nothing_waits_between_the_batches_of_an_evaluation(new_run, table):
    text, answers = new_run({"context_length": 48}), new_run(training={"loss_on": "completion"}, data=PAIRS)
    worker.run(text)
    for run in (text, answers, _tuned(text, table, {"method": "all"}, {"steps": 2, "batch_size": 8})):
        worker.run(run)
        trainer = _plain(run)
        batches = [trainer.objective.batch(trainer.sampler.train(step, 4)) for step in range(3)]
        with NoWaiting():
            scores = [trainer.objective.score(trainer.model, batch) for batch in batches]
        total = type(scores[0]).total(scores)
        assert total.targets == sum(batch.n_targets for batch in batches) and isinstance(total.loss, float)


def _plain(folder) -> Trainer:
    config, path = folder.config(), folder.about()["data_folder"]
    prepared = load_labelled(path) if config.finetune else load(path)
    return Trainer(folder, config, prepared, device_module.choose_device(config.training))


def test_graphs_are_for_one_process_on_cuda_without_scaled_losses(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    records = device_module._records
    assert records("cuda", torch.bfloat16) and records("cuda", torch.float32)
    assert (
        not records("cuda", torch.float16) and not records("cpu", torch.float32) and not records("mps", torch.float32)
    )
    monkeypatch.setenv("PLAYGROUND_GRAPHS", "0")
    assert not records("cuda", torch.bfloat16)
    monkeypatch.delenv("PLAYGROUND_GRAPHS")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not records("cuda", torch.bfloat16)


def test_a_device_says_what_really_runs():
    device = Device("cuda", 0, "NVIDIA H100", torch.bfloat16, True, True)
    assert device.describe() == "NVIDIA H100, bfloat16, compiled, CUDA graph"
    assert replace(device, compile=False, graphs=False).describe() == "NVIDIA H100, bfloat16"


def test_exact_arithmetic_is_asked_for_inside_and_not_beyond():
    device = Device("cuda", 0, "NVIDIA H100", torch.bfloat16, False)
    with device.deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


@needs_cuda
@pytest.mark.parametrize("name", RUNS)
def test_on_cuda_replayed_steps_have_the_losses_of_steps_made_anew(new_run, monkeypatch, name):
    model, training, data = RUNS[name]
    runs = []
    for wanted in ("1", "0"):
        monkeypatch.setenv("PLAYGROUND_GRAPHS", wanted)
        runs.append(new_run(model, {**training, "device": "cuda", "dtype": "float32"}, data))
        assert worker.run(runs[-1]) == "finished", runs[-1].status().message
        assert ("CUDA graph" in runs[-1].status().device) == (wanted == "1")
    if not (data and model.get("dropout")):
        assert_close(*runs, rel=1e-2)  # products in TF32, in other shapes where texts are padded


@needs_cuda
@pytest.mark.parametrize("dtype", ["float32", "auto"])
@pytest.mark.parametrize("name", RUNS)
def test_on_cuda_a_cut_run_goes_on_exactly(new_run, name, dtype):
    model, training, data = RUNS[name]
    training = {**training, "device": "cuda", "dtype": dtype}
    whole = new_run(model, training, data)
    assert worker.run(whole) == "finished", whole.status().message
    cut = new_run(model, training, data)
    while len(losses(cut)) < 5:
        cut.request("step")
        assert worker.run(cut) == "paused", cut.status().message
    assert worker.run(cut) == "finished"
    assert_same_run(whole, cut)


@needs_cuda
@pytest.mark.parametrize("error", [RuntimeError("a refusal"), torch.OutOfMemoryError("CUDA out of memory")])
def test_on_cuda_a_recording_that_breaks_off_does_no_harm(new_run, monkeypatch, error):
    """What dropout draws from is usable again, and so is the memory."""
    update = Trainer.update

    def refused(self):
        if torch.cuda.is_current_stream_capturing():
            raise error
        return update(self)

    monkeypatch.setattr(Trainer, "update", refused)
    model, training, data = RUNS["decoder with dropout"]
    run = new_run(model, {**training, "device": "cuda"}, data)
    assert worker.run(run) == "finished", run.status().message
    assert run.log_path.read_text().count("goes on without CUDA graphs") == 1
    assert "CUDA graph" not in run.status().device and list(losses(run)) == list(range(1, 13))


@needs_cuda
def test_on_cuda_compiled_steps_are_recorded_and_resume_exactly(new_run):
    training = {"device": "cuda", "compile": "on"}
    whole, cut = (new_run(training=training) for _ in range(2))
    worker.run(whole)
    for _ in range(3):
        cut.request("step")
        worker.run(cut)
    assert worker.run(cut) == "finished" and "compiled, CUDA graph" in cut.status().device
    assert_same_run(whole, cut)


@needs_cuda
def test_on_cuda_no_step_makes_the_host_wait(new_run):
    run = new_run({"dropout": 0.1}, {"device": "cuda"})
    worker.run(run)
    run.write_config(run.config().replace(training=run.config().training.replace(steps=60)))
    config = run.config()
    device = device_module.choose_device(config.training)
    trainer = Trainer(run, config, load(run.about()["data_folder"]), device)
    trainer.model.train()
    trainer.one_step()  # recording waits
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(30):
            trainer.one_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
        trainer.close()
