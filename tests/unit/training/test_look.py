"""Looks into a model that learns: a watched run is the unwatched one, and every number is the model's own."""

import csv
import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from models.factory import build
from models.spec import ModelSpec
from playground.finetune.plan import plan
from playground.inspection.capture import capture
from playground.runs import look
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.frames import KINDS, from_bytes
from playground.runs.look import LookRequest
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.text.targets import IGNORE_INDEX
from playground.text.tokenizers import Tokenizer
from playground.training import graphs, look_tensors, worker
from playground.training import look as looker_module
from playground.training.device import Device
from playground.training.load_model import load_model
from playground.training.look_text import LookText
from tests.support.cuda_graph_double import Double, with_graphs
from tests.support.same_run import assert_same_run
from tests.support.small_models import lively
from tests.support.watched import EVERY_KIND, watched

PAIRS = {"corpus": "task-addition", "options": {"digits": 2}, "tokenizer": TokenizerSpec("char", 300)}
RUNS = {
    "rnn": ({"architecture": "rnn", "n_layers": 2}, {}, {}),
    "lstm": ({"architecture": "lstm", "n_layers": 2}, {"gradient_accumulation_steps": 2}, {}),
    "gru": ({"architecture": "gru", "n_layers": 2}, {}, {}),
    "decoder": ({"architecture": "decoder"}, {"gradient_accumulation_steps": 2}, {}),
    "decoder of pairs": ({"architecture": "decoder"}, {"loss_on": "completion"}, PAIRS),
    "encoder": ({"architecture": "encoder"}, {"objective": "mlm"}, {}),
    "bidirectional lstm": ({"architecture": "lstm", "bidirectional": True}, {"objective": "mlm"}, {}),
    "encoder-decoder": ({"architecture": "encoder-decoder"}, {"objective": "seq2seq"}, PAIRS),
    "lstm-attention": ({"architecture": "lstm-attention"}, {"objective": "seq2seq"}, PAIRS),
}
STEPS = tuple(range(13))
FLOAT16 = {"rtol": 2**-11, "atol": 2**-24}  # half of the last place that float16 has, and of its smallest number


def make(new_run, name: str, **training):
    model, objective, data = RUNS[name]
    return new_run({"dropout": 0.1, **model}, {**objective, **training}, data)


def chances() -> list:
    """The states of all random numbers that a program may draw."""
    of_numpy = np.random.get_state()
    return [torch.get_rng_state().tolist(), of_numpy[1].tolist(), of_numpy[2], random.getstate()]


def train(run) -> list:
    np.random.seed(3)
    random.seed(3)
    state = worker.run(run)
    assert state == "finished", run.status().message
    return chances()


def assert_bit_equal(one, other) -> None:
    assert_same_run(one, other)
    moments = [load_file(run.latest_checkpoint() / "optimizer.safetensors") for run in (one, other)]
    assert moments[0].keys() == moments[1].keys()
    for name, tensor in moments[0].items():
        assert torch.equal(tensor, moments[1][name]), name


@pytest.mark.parametrize("name", RUNS)
def test_a_watched_run_is_bit_equal_to_an_unwatched_one(new_run, name):
    one, other = make(new_run, name), make(new_run, name)
    unwatched = train(one)
    with watched() as frames:
        assert train(other) == unwatched
    assert_bit_equal(one, other)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    assert [frame.about["step"] for frame in frames] == list(range(1, 13))
    assert look.written(other)["step"] > 1
    assert not look.error(other) and not other.log_path.exists(), "nothing went wrong unseen"


@pytest.mark.parametrize("name", ["decoder", "encoder", "encoder-decoder", "rnn"])
def test_a_watched_run_whose_steps_are_replayed_is_bit_equal_too(new_run, monkeypatch, name):
    """With the double of CUDA graphs: a look is outside of every recording, and the weights stay where they are."""
    monkeypatch.setattr(graphs, "recorder", Double)
    monkeypatch.setattr(worker, "choose_device", with_graphs)
    runs = [new_run({**RUNS[name][0], "dropout": 0.0}, RUNS[name][1], RUNS[name][2]) for _ in range(2)]
    Double.made.clear()
    unwatched = train(runs[0])
    with watched() as frames:
        assert train(runs[1]) == unwatched
    assert_bit_equal(*runs)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    assert all(made.replays >= 12 for made in Double.made) and len(Double.made) == 2
    assert Double.made[0].recorded == Double.made[1].recorded
    assert not look.error(runs[1]) and not runs[1].log_path.exists()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["decoder", "lstm", "encoder", "encoder-decoder", "lstm-attention"])
def test_a_watched_run_on_a_gpu_is_bit_equal_too(new_run, name):
    """With dropout, bfloat16 and, where the model can, CUDA graphs."""
    one, other = make(new_run, name, device="cuda"), make(new_run, name, device="cuda")
    states = []
    for run, watching in ((one, False), (other, True)):
        with watched() if watching else watched([None]) as frames:
            chances_after = train(run)
        states.append((chances_after, torch.cuda.get_rng_state().tolist()))
    assert states[0] == states[1]
    assert_bit_equal(one, other)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    assert not look.error(other) and "did not work" not in (
        other.log_path.read_text() if other.log_path.exists() else ""
    )


@pytest.fixture(scope="module")
def parents():
    """An encoder, a decoder and an LSTM to fine-tune."""
    import sklearn.metrics  # noqa: F401  # which reports need: its import draws from Python's random numbers

    made = {}
    for architecture, objective in (("encoder", "mlm"), ("decoder", "clm"), ("lstm", "clm")):
        spec = ModelSpec(architecture, d_model=16, n_layers=2, n_heads=2, context_length=24)
        training = TrainingSpec(
            steps=4, batch_size=4, warmup_steps=1, eval_every=4, eval_batches=1, threads=1, objective=objective
        )
        data = DataSpec("python-docs", tokenizer=TokenizerSpec("char", 300), max_bytes=40_000)
        made[architecture] = RunStore().create(RunConfig(f"a parent {architecture}", spec, data, training))
        assert worker.run(made[architecture]) == "finished"
    return made


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A table of texts with labels, and one of words with tags."""
    folder = tmp_path_factory.mktemp("tables")
    turn = lambda i: "up" if i % 2 else "down"
    rows = {
        "classify": [(f"the row {i} is {turn(i)}", f"{i % 2}") for i in range(60)],
        "tag": [(f"row {i} goes {turn(i)}", "N D V P") for i in range(60)],
    }
    for name, lines in rows.items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *lines])
    return {name: LabelledSpec("file", path=str(folder / f"{name}.csv")) for name in rows}


@pytest.mark.parametrize(
    ("parent", "task", "method"),
    [
        ("encoder", "classify", "head"),
        ("encoder", "classify", "lora"),
        ("decoder", "tag", "lora"),
        ("lstm", "tag", "head"),
    ],
)
def test_a_watched_fine_tuning_is_bit_equal_too(parents, tables, parent, task, method):
    tuned = FineTuneSpec(task, tables[task], method=method, rank=4)
    quick = {"steps": 10, "batch_size": 8, "eval_every": 5, "eval_batches": 1, "threads": 1}
    one, other = (RunStore().create(plan(parents[parent], tuned, None, **quick)) for _ in range(2))
    unwatched = train(one)
    with watched() as frames:
        assert train(other) == unwatched
    assert_bit_equal(one, other)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    labels = {"0", "1"} if task == "classify" else {"N", "D", "V", "P"}
    assert {piece for _, piece, _ in frames[0].about["likeliest"]} <= labels
    assert set(look.written(other)["text"].split()) <= labels
    gradients = next(frame for frame in frames if frame.about["kind"] == "gradients")
    assert np.abs(gradients.tensors["embeddings"].astype(float)).max() > 0, "also of a frozen body"
    assert not look.error(other) and not other.log_path.exists()


@pytest.mark.parametrize("name", RUNS)
def test_every_tensor_is_that_of_capture_on_the_checkpoint_of_its_step(new_run, name):
    run = make(new_run, name, keep_steps=STEPS)
    with watched([LookRequest(), LookRequest(kind="change")]) as frames:
        train(run)
    values = {}
    for frame in frames:
        about, model = frame.about, load_model(run, frame.about["step"])
        found = values[about["step"]] = capture(model, about["ids"], about["source_ids"])
        assert set(frame.tensors) <= set(found) and "logits" in frame.tensors
        assert not {name for name in found if look_tensors.is_default(name)} - set(frame.tensors)
        for each, tensor in frame.tensors.items():
            expected = found[each]
            if about["kind"] == "change":
                before = capture(load_model(run, about["since"]), about["ids"], about["source_ids"])
                expected = expected - before[each]
            assert tensor.dtype == np.float16
            np.testing.assert_allclose(tensor, expected, rtol=2**-11, atol=2e-6, err_msg=each)
        asked = torch.tensor(about["targets"])
        loss = F.cross_entropy(torch.from_numpy(found["logits"]), asked, ignore_index=IGNORE_INDEX)
        assert about["loss"] == pytest.approx(float(loss), rel=1e-5)
        likely = torch.from_numpy(found["logits"])[about["position"]].softmax(-1).topk(16)
        assert [p for _, _, p in about["likeliest"]] == pytest.approx(likely.values.tolist(), abs=2e-6)
    assert len(values) == 12
    assert [frame.about["since"] for frame in frames[1::2]] == list(range(1, 13, 2)), "the last look"


def test_the_change_of_a_step_is_that_of_two_checkpoints(new_run):
    run = make(new_run, "lstm", keep_steps=STEPS)
    with watched([LookRequest(kind="weights"), LookRequest(kind="weights_change")]) as frames:
        train(run)
    on_disk = {step: load_file(run.checkpoint(step) / "model.safetensors") for step in STEPS}
    assert len(frames) == 12
    for frame in frames:
        step, weights = frame.about["step"], on_disk[frame.about["step"]]
        assert frame.tensors.keys() == weights.keys()
        for name, tensor in weights.items():
            expected = tensor.numpy()
            if frame.about["kind"] == "weights_change":
                assert frame.about["since"] == step - 1
                expected = expected - on_disk[step - 1][name].numpy()
            if name in frame.about["sampled"]:
                assert frame.about["sampled"][name] == list(tensor.shape)
                expected = blocks(expected)
            np.testing.assert_allclose(frame.tensors[name], expected, rtol=2**-11, atol=2e-7, err_msg=name)
    assert "embedding.tokens.weight" in frames[0].about["sampled"]


def blocks(matrix: np.ndarray, most: int = 64) -> np.ndarray:
    """Means over at most 64 × 64 blocks, one by one."""
    edges = [[i * size // min(size, most) for i in range(min(size, most) + 1)] for size in matrix.shape]
    rows, columns = (list(zip(each, each[1:])) for each in edges)
    return np.array([[matrix[a:b, c:d].astype(float).mean() for c, d in columns] for a, b in rows])


@pytest.mark.parametrize("shape", [(64, 64), (65, 3), (3, 129), (100, 257), (7, 7)])
def test_a_large_matrix_is_averaged_over_blocks_that_do_not_overlap(shape):
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(look_tensors.block_means(matrix), blocks(matrix), atol=1e-5)


ARCHITECTURES = [
    ("rnn", {}),
    ("gru", {}),
    ("lstm", {"bidirectional": True}),
    ("decoder", {"n_heads": 2}),
    ("encoder", {"n_heads": 2}),
    ("encoder-decoder", {"n_heads": 2}),
    ("lstm-attention", {}),
]


@pytest.mark.parametrize(("architecture", "more"), ARCHITECTURES)
def test_gradients_are_the_change_of_the_loss_when_an_activation_changes(architecture, more):
    """Finite differences in double precision: a gate at a token counts with all that it does to later tokens."""

    spec = ModelSpec(architecture, vocab_size=20, d_model=8, n_layers=2, context_length=12, **more)
    model = lively(spec)
    targets = torch.tensor([3, IGNORE_INDEX, 5, 1, IGNORE_INDEX, 2])
    text = LookText([7, 4, 9, 1, 12, 3], targets.tolist(), [3, 5, 2, 8, 11] if spec.reads_pairs else None, 5)
    device = Device("cpu", 0, "", torch.float32, False)
    found = look_tensors.gradients(model, text, device, lambda name: True)
    random_places = np.random.default_rng(0)

    def loss(name: str, place: tuple[int, ...], more: float) -> float:
        def hook(seen, value):
            if seen == name:
                value = value.clone()
                value[(0, *place)] += more
            return value

        with torch.no_grad():
            logits = model(**text.inputs(torch.device("cpu")), hook=hook).logits
        return F.cross_entropy(logits[0], targets, ignore_index=IGNORE_INDEX).item()

    for name, gradient in found.values.items():
        if name == "logits":
            continue
        for _ in range(3):
            place = tuple(int(random_places.integers(0, size)) for size in gradient.shape)
            slope = (loss(name, place, 1e-5) - loss(name, place, -1e-5)) / 2e-5
            assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-6), (name, place)
    logits = model(**text.inputs(torch.device("cpu"))).logits[0].detach()
    asked = targets != IGNORE_INDEX
    hot = F.one_hot(targets.clamp(min=0), spec.vocab_size)
    expected = (logits.softmax(-1) - hot) * asked[:, None] / asked.sum()  # p − y
    np.testing.assert_allclose(found.values["logits"], expected.numpy(), atol=1e-6)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["gru", "decoder", "encoder-decoder"])
def test_gradients_are_those_of_the_checkpoint_of_that_step(new_run, name):
    run = make(new_run, name, keep_steps=STEPS)
    with watched([LookRequest(kind="gradients")]) as frames:
        train(run)
    for frame in (frames[0], frames[-1]):
        about, model = frame.about, load_model(run, frame.about["step"])
        text = LookText(about["ids"], about["targets"], about["source_ids"], about["position"])
        held, inputs = {}, text.inputs(torch.device("cpu"))

        def keep(name, value, held=held):
            if name.endswith(("embeddings", "final", ".output", ".mlp.hidden")):
                value.retain_grad()
                held[name] = value
            return value

        logits = model(**inputs, hook=keep).logits
        F.cross_entropy(logits[0], torch.tensor(about["targets"]), ignore_index=IGNORE_INDEX).backward()
        compared = 0
        for each, value in held.items():
            if each in frame.tensors and value.grad is not None:
                np.testing.assert_allclose(frame.tensors[each], value.grad[0], rtol=2**-10, atol=1e-7, err_msg=each)
                compared += 1
        assert compared >= 3


def test_the_default_set_of_a_larger_model_stays_below_a_megabyte():
    """As large as the gallery's: what is optional gives way in all layers at once."""

    spec = ModelSpec("decoder", vocab_size=4096, d_model=384, n_layers=6, n_heads=6, context_length=64)
    text = LookText(list(range(64)), None, None, 63)
    reading = look_tensors.activations(
        build(spec).eval(), text, Device("cpu", 0, "", torch.float32, False), look_tensors.is_default
    )
    shown = look_tensors.within_room(reading.values)
    assert sum(value.size for value in shown.values()) * 2 < 1.3 * 2**20
    assert {"embeddings", "layers.0.attention.weights", "layers.5.output", "final", "logits"} <= shown.keys()
    assert not any(name.endswith(".mlp.hidden") for name in shown)


def test_one_step_shows_exactly_what_it_changed(new_run):
    """A person presses "one step" while a page watches: the process ends after it, and the frame is there."""
    run = new_run(training={"steps": 50})
    for step, kind in ((1, "weights_change"), (2, "change")):
        look.ask(run, LookRequest(kind=kind))
        run.request("step")
        assert worker.run(run) == "paused"
        frame = from_bytes(look.newest(run))
        assert (frame.about["kind"], frame.about["step"], frame.about["since"]) == (kind, step, step - 1)
    assert any(np.abs(value.astype(float)).max() > 0 for value in frame.tensors.values())


def test_a_run_that_is_paused_shows_its_last_step(new_run, monkeypatch):
    monkeypatch.setattr(looker_module, "gap_after", lambda seconds: 1e6)  # one answer, and then the end
    run = new_run(training={"steps": 100_000})
    look.ask(run, LookRequest())

    def pause(kind, value):
        if kind == "metrics" and not run.pending_requests():
            os.utime(run.path / look.REQUEST)
            run.request("pause")

    assert worker.run(run, pause) == "paused"
    assert from_bytes(look.newest(run)).about["step"] == run.status().step > 1


def test_a_persons_text_is_read_through_the_runs_tokenizer(new_run):
    run = new_run()
    with watched([LookRequest(text="def look(self): "), LookRequest(text="é" * 3000)]) as frames:
        train(run)
    tokenizer = Tokenizer.load(run.tokenizer_path)
    ids = tokenizer.encode("def look(self): ")[:16]  # the context has 16 tokens, and characters keep their last space
    about = frames[0].about
    assert about["ids"] == ids and about["pieces"] == tokenizer.pieces(ids)
    assert about["targets"] == [*ids[1:], IGNORE_INDEX]
    assert len(frames[1].about["ids"]) == 16


def test_a_persons_pair_is_read_as_training_reads_it(new_run):
    for name in ("encoder-decoder", "decoder of pairs"):
        run = make(new_run, name)
        with watched([LookRequest(source="12+34", text="46"), LookRequest(source="12+34")]) as frames:
            train(run)
        tokenizer = Tokenizer.load(run.tokenizer_path)
        question, answer, bos = tokenizer.encode("12+34"), tokenizer.encode("46"), tokenizer.bos_id
        whole, begun = frames[0].about, frames[1].about
        before = [] if name == "encoder-decoder" else question
        assert whole["source_ids"] == (question if name == "encoder-decoder" else None)
        assert whole["ids"] == [*before, bos, *answer] and begun["ids"] == [*before, bos]
        assert whole["targets"] == [*[IGNORE_INDEX] * len(before), *answer, tokenizer.eos_id]
        assert begun["targets"] is None and begun["loss"] is None


def test_masks_that_a_person_typed_are_filled_and_other_texts_are_masked(new_run):
    run = make(new_run, "encoder")
    with watched([LookRequest(text="the <mask> is", prompt="a <mask>"), LookRequest(text="a longer text")]) as frames:
        train(run)
    tokenizer = Tokenizer.load(run.tokenizer_path)
    typed, hidden = frames[0].about, frames[1].about
    assert typed["ids"][typed["position"]] == tokenizer.mask_id and typed["targets"] is None
    places = [i for i, target in enumerate(hidden["targets"]) if target != IGNORE_INDEX]
    ids = tokenizer.encode("a longer text")
    assert places and [hidden["targets"][i] for i in places] == [ids[i] for i in places]
    assert len(tokenizer.encode(look.written(run)["text"])) == len(tokenizer.encode("a <mask>", specials=True))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (LookRequest(names=("layers.99.output", "embeddings")), "no tensor layers.99.output"),
        (LookRequest(kind="weights", names=("no.such.weight",)), "no tensor no.such.weight"),
        (LookRequest(kind="weights_change", names=("a", "b", "c", "d", "e")), "a, b, c and 2 more"),
        (LookRequest(kind="gradients", text="a"), "no gradient"),
    ],
)
def test_what_cannot_be_shown_is_said_and_the_run_goes_on(new_run, request_, said):
    one, run = new_run(), new_run()
    train(one)
    with watched([request_]) as frames:
        train(run)
    assert_bit_equal(one, run)
    assert said in look.error(run)
    assert bool(frames) == ("embeddings" in request_.names), "what is there is shown"
    with watched([LookRequest()]):
        run.write_config(run.config().replace(training=run.config().training.replace(steps=14)))
        train(run)
    assert look.error(run) is None, "and forgotten when it is over"


def test_a_full_disk_never_stops_the_run_and_is_said_once(new_run, monkeypatch):
    one, run = new_run(), new_run()
    train(one)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with watched():
        monkeypatch.setattr(look, "replace_file", full)
        train(run)
    assert_bit_equal(one, run)
    assert run.log_path.read_text().count("No space left") == 1


def test_a_bug_in_a_look_never_stops_the_run(new_run, monkeypatch):
    one, run = new_run({"dropout": 0.1}), new_run({"dropout": 0.1})
    unwatched = train(one)

    def broken(*arguments):
        torch.rand(3), np.random.random(), random.random()
        raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB\nand much more")

    monkeypatch.setattr(look_tensors, "activations", broken)
    with watched([LookRequest()]):
        assert train(run) == unwatched
    assert_bit_equal(one, run)
    assert "out of memory" in look.error(run) and "much more" not in look.error(run)
    assert run.log_path.read_text().count("out of memory") == 1


def test_a_request_that_is_damaged_or_old_is_none(new_run):
    run = new_run()
    (run.path / look.REQUEST).write_bytes(b"\xff{")
    train(run)
    look.ask(run, LookRequest())
    os.utime(run.path / look.REQUEST, (1e9, 1e9))
    run.write_config(run.config().replace(training=run.config().training.replace(steps=14)))
    train(run)
    assert look.newest(run) is None and look.error(run) is None


def test_an_unwatched_run_looks_at_its_folder_ten_times_a_second_at_most(new_run, monkeypatch):
    """And makes no pass more than before."""
    run, times = new_run(training={"steps": 400, "eval_every": 400, "sample_every": 0}), []
    asked = look.asked
    monkeypatch.setattr(look, "asked", lambda run: (times.append(looker_module.time.monotonic()), asked(run))[1])
    train(run)
    gaps = np.diff(times[:-2])  # the last step, and the end, are always looked at
    assert len(times) >= 2 and (gaps >= looker_module.POLL_SECONDS).all()


def test_answers_cost_at_most_a_tenth_of_the_time():
    for took in (0.001, 0.02, 0.04, 0.5, 3.0):
        gap = looker_module.gap_after(took)
        assert gap >= 0.25 and took / gap <= 0.1 + 1e-9
    assert looker_module.gap_after(0.04) == 0.5, "two a second"


WATCHED_PROCESS = """
import sys
from playground.runs.folder import RunFolder
from playground.training import worker
from playground.training.distributed import exit_together, join_group
from tests.support.watched import watched
group = join_group()
with watched() as frames:
    state = worker.run(RunFolder(sys.argv[1]), group=group)
print(state, len(frames), sorted({frame.about["kind"] for frame in frames}))
exit_together(group, 0)
"""


def test_two_watched_processes_train_what_two_unwatched_ones_do(new_run, tmp_path):
    """The leader looks alone, and the other one waits for it at the next step."""
    watching, alone = tmp_path / "watching.py", tmp_path / "alone.py"
    watching.write_text(WATCHED_PROCESS)
    alone.write_text(WATCHED_PROCESS.replace("watched() as frames", "watched([None]) as frames"))
    made = []
    for script in (alone, watching):
        run = make(new_run, "lstm")
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
        command = [sys.executable, *launcher, "--rdzv-endpoint=localhost:0", str(script), str(run.path), script.stem]
        environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
        assert result.returncode == 0, result.stderr[-3000:]
        made.append((run, result.stdout))
    assert f"finished 12 {sorted(KINDS)}" in made[1][1] and "finished 0 []" in made[0][1]
    assert_bit_equal(made[0][0], made[1][0])


KILLED = """
import os, sys
from playground.runs import look
from playground.runs.folder import RunFolder
from playground.training import worker
from tests.support.watched import watched

made, rename = [], os.replace
def killed(source, target):
    if str(target).endswith("look.safetensors"):
        made.append(1)
        if len(made) == 3:
            os._exit(9)
    rename(source, target)
with watched():
    os.replace = killed
    worker.run(RunFolder(sys.argv[1]))
"""


def test_a_trainer_killed_while_it_writes_leaves_a_whole_frame(new_run, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    run = new_run()
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, str(script), str(run.path)], env=environment, timeout=120)
    assert result.returncode == 9
    assert from_bytes(look.newest(run)).about["step"] == 2
    assert worker.run(run) == "finished"


def test_every_kind_is_looked_at_in_these_tests():
    assert {request.kind for request in EVERY_KIND} == set(KINDS)
