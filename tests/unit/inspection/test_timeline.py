"""Frames over time: every number is that of `capture` on the weights of the step that is named."""

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from models.hyperparameters import PAIRED
from playground.core.errors import PlaygroundError
from playground.inspection import timeline
from playground.inspection.capture import capture
from playground.inspection.timeline import frames_of, spread_out
from playground.runs import gallery, snapshots
from playground.runs.frames import MAX_TOKENS, from_bytes
from playground.text.tokenizers import Tokenizer
from playground.training import worker
from playground.training.load_model import body_of, labels_of, load_model

TEXTS = {
    "induction": ("8pvrrsFqT3bZkM", "8pvrrsFqT3bZkM"),
    "stories-decoder": ("Tom had a red ball. He lost it.", ""),
    "stories-encoder": ("Tom had a red ball. He lost <mask>.", ""),
    "dates": ("2007-10-18", "18 October 2007"),
    "dates-lstm": ("2007-10-18", "18 October 2007"),
    "recall-gru": ("A", ">ABCD?"),
    "recall-rnn": ("A", ">ABCD?"),
    "recall-lstm": ("A", ">ABCD?"),
}


def near(value, exact):
    """Within float16's rounding: half of the last of 11 bits, or half of the smallest number."""
    return np.abs(value.astype(np.float64) - exact) <= np.abs(exact) * 2**-11 + 2**-25


@pytest.mark.parametrize("name", TEXTS)
def test_frames_are_what_capture_finds_on_the_checkpoint_of_their_step(name):
    run, (text, source) = gallery.get(name), TEXTS[name]
    frames = [from_bytes(data) for data in frames_of(run, text, source)]
    assert [frame.about["step"] for frame in frames] == run.checkpoints()
    for frame in frames:
        about, model = frame.about, body_of(load_model(run, frame.about["step"]))
        exact = capture(model, about["ids"], about["source_ids"])
        assert "logits" in frame.tensors and len(frame.tensors) >= 4
        for key, value in frame.tensors.items():
            assert value.shape == exact[key].shape and near(value, exact[key]).all(), key
        p = F.softmax(torch.from_numpy(exact["logits"][about["position"]]).double(), dim=-1)
        best = [row[2] for row in about["likeliest"]]
        assert best == sorted(best, reverse=True) and best == pytest.approx(p.topk(16).values.tolist(), abs=1e-6)
        assert about["pieces"] == Tokenizer.load(run.tokenizer_path).pieces(about["ids"])


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "stories-encoder"])
def test_the_loss_is_the_mean_over_the_targets(name):
    run, (text, source) = gallery.get(name), TEXTS[name]
    about = from_bytes(frames_of(run, text, source)[-1]).about
    tokenizer = Tokenizer.load(run.tokenizer_path)
    targets = torch.tensor(about["targets"])
    if source and run.config().model.architecture not in PAIRED:
        assert [t for t in about["targets"] if t >= 0] == [*tokenizer.encode(text), tokenizer.eos_id], (
            "of pairs the answer alone, and its end"
        )
    logits = capture(body_of(load_model(run)), about["ids"], about["source_ids"])["logits"]
    loss = F.cross_entropy(torch.from_numpy(logits).double(), targets, ignore_index=-100)
    assert about["loss"] == pytest.approx(float(loss), rel=1e-5, abs=1e-9)
    likeliest = logits.argmax(-1)
    assert about["right"] == [bool(likeliest[i] == t) for i, t in enumerate(about["targets"]) if t >= 0]


def test_an_encoder_without_a_mask_is_asked_about_tokens_that_are_hidden_for_it():
    run = gallery.get("stories-encoder")
    about = from_bytes(frames_of(run, "Tom had a red ball. He lost it.")[0]).about
    mask = Tokenizer.load(run.tokenizer_path).mask_id
    hidden = [i for i, target in enumerate(about["targets"]) if target >= 0]
    assert hidden and about["position"] == hidden[0] and about["ids"][hidden[0]] == mask and about["loss"] > 0
    typed = from_bytes(frames_of(run, "Tom had a red <mask>.")[0]).about
    assert typed["targets"] is None and typed["loss"] is None and typed["ids"][typed["position"]] == mask


def test_snapshots_give_the_frames_of_the_checkpoints_that_are_gone(new_run):
    run = new_run(training={"keep_steps": (0, 2, 5)})
    worker.run(run)
    exact = [from_bytes(data) for data in frames_of(run, "def main(self):", steps=(0, 2, 5, 12))]
    for step in (0, 2, 5):
        shutil.rmtree(run.checkpoint(step))
    rounded = [from_bytes(data) for data in frames_of(run, "def main(self):")]
    assert [frame.about["step"] for frame in rounded] == snapshots.steps_of(run)
    by_step = {frame.about["step"]: frame for frame in rounded}
    for frame in exact:
        other = by_step[frame.about["step"]]
        for name, value in frame.tensors.items():
            np.testing.assert_allclose(other.tensors[name], value, rtol=0.02, atol=0.004)
    rows = {row["step"]: row for row in run.metrics()[0] if row["kind"] == "train"}
    for frame in rounded[1:]:
        row, about = rows[frame.about["step"]], frame.about
        assert (about["tokens"], about["train_loss"]) == (row["tokens"], row["loss"])
        assert about["seconds"] == row["seconds"]
    assert (rounded[0].about["tokens"], rounded[0].about["seconds"], rounded[0].about["train_loss"]) == (0, 0, None)


def test_changes_add_up(new_run):
    run = new_run(training={"keep_steps": (0, 5)})
    worker.run(run)
    values, changes = (
        [from_bytes(data).tensors for data in frames_of(run, "import os", steps=(0, 5, 12), kind=kind)]
        for kind in ("values", "change")
    )
    for name, first in values[0].items():
        assert not changes[0][name].any()
        total = first.astype(np.float64) + sum(change[name].astype(np.float64) for change in changes)
        np.testing.assert_allclose(total, values[-1][name], atol=0.01)


def test_frames_of_weights_are_the_weights_on_the_disk(new_run):
    run = new_run(training={"keep_steps": (0, 5)})
    worker.run(run)
    frames = [from_bytes(data) for data in frames_of(run, "import os", steps=(0, 5), kind="weights")]
    moved = from_bytes(frames_of(run, "import os", steps=(0, 5), kind="weights_change")[1])
    disk = [load_file(run.checkpoint(step) / "model.safetensors") for step in (0, 5)]
    for frame, stored in zip(frames, disk, strict=True):
        assert frame.about["kind"] == "weights" and frame.tensors.keys() == stored.keys()
        whole = [name for name in stored if name not in frame.about["sampled"]]
        assert len(whole) > 3 and all(near(frame.tensors[name], stored[name].numpy()).all() for name in whole)
        for name, size in frame.about["sampled"].items():
            assert tuple(size) == tuple(stored[name].shape)
            assert float(frame.tensors[name].astype(np.float64).mean()) == pytest.approx(
                float(stored[name].double().mean()), abs=2e-3
            )
    assert moved.about["since"] == 0
    for name, tensor in disk[1].items():
        if name not in moved.about["sampled"]:
            assert near(moved.tensors[name], (tensor - disk[0][name]).numpy()).all()


def test_long_texts_are_cut_and_at_most_fifteen_steps_are_looked_at(monkeypatch):
    run = gallery.get("stories-decoder")
    (data,) = frames_of(run, "Tom had a red ball. " * 100, steps=[2500])
    assert len(from_bytes(data).about["ids"]) == min(MAX_TOKENS, run.config().model.context_length)
    assert spread_out(range(100)) == [round(i * 99 / 14) for i in range(15)]
    assert spread_out([3, 5]) == [3, 5]


def test_no_text_is_a_text_without_targets():
    about = from_bytes(frames_of(gallery.get("stories-decoder"), "", steps=[2500])[0]).about
    assert len(about["ids"]) == 1 and about["loss"] is None and about["targets"] is None
    with pytest.raises(PlaygroundError, match="there is none"):
        frames_of(gallery.get("dates"), "2007")


def test_whoever_is_told_of_the_progress_can_end_the_work():
    told = []

    def progress(done, total):
        told.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        frames_of(gallery.get("induction"), "abc", "abc", progress=progress)
    assert told == [(0, 7), (1, 7), (2, 7)]


def test_what_cannot_be_is_told():
    run = gallery.get("induction")
    with pytest.raises(PlaygroundError, match="no checkpoint of step 7"):
        frames_of(run, "abc", "abc", steps=[7])
    with pytest.raises(PlaygroundError, match="kind"):
        frames_of(run, "abc", "abc", kind="gradients")


def test_a_large_vocabulary_has_the_logits_of_one_token(monkeypatch):
    monkeypatch.setattr(timeline, "WHOLE_LOGITS", 10)
    frame = from_bytes(frames_of(gallery.get("induction"), "abcd", "abcd", steps=[1500])[0])
    exact = capture(body_of(load_model(gallery.get("induction"))), frame.about["ids"])["logits"]
    assert frame.tensors["logits"].shape == (1, exact.shape[1])
    assert near(frame.tensors["logits"], exact[[frame.about["position"]]]).all()
    assert len(frame.about["right"]) > 1, "every target is judged all the same"


@pytest.mark.parametrize("name", ["reviews-zh", "names-zh"])
def test_a_run_that_gives_labels_tells_the_likeliest_labels(name):
    run, text = gallery.get(name), "这部电影非常好看。"
    about = from_bytes(frames_of(run, text)[0]).about
    assert about["targets"] is None and about["loss"] is None and about["right"] == []
    logits = load_model(run)(torch.tensor([about["ids"]])).logits[0].detach()
    p = logits.flatten(0, -2)[about["position"]].softmax(-1) if logits.dim() > 1 else logits.softmax(-1)
    for index, label, share in about["likeliest"]:
        assert label == labels_of(run)[index] and share == pytest.approx(float(p[index]), abs=1e-5)
    assert sum(share for *_, share in about["likeliest"]) <= 1 + 1e-9
