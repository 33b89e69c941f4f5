"""Events: found where the story of the run says that they are, and not where nothing happens."""

import re
from pathlib import Path

import numpy as np
import pytest

from playground.core.errors import Message
from playground.inspection import events
from playground.inspection.events import answer_events, best_validation, events_of, head_events, plateaus
from playground.inspection.timeline import frames_of
from playground.runs import gallery
from playground.runs.frames import Frame, from_bytes
from playground.runs.rows import Metric

STORY = (Path(__file__).parents[3] / "docs" / "induction.md").read_text(encoding="utf-8")
COPIED = ["8pvrrsFqT3bZkM", "Zk3bqTyM9aRdWx", "abcdefghijklmn", "M0x7cVgH2uLpEo"]


def looked_at(text):
    return [from_bytes(data) for data in frames_of(gallery.get("induction"), text, text)]


def born_in_the_story():
    """Half the way from the first to the highest score in the table of docs/induction.md, which was measured on other texts."""
    row = lambda name: [
        float(cell.replace(",", "")) for cell in re.search(rf"\| {name} \|(.*)\|", STORY)[1].split("|") if cell.strip()
    ]
    steps, scores = row("step"), row("induction score of head 1.3")
    return int(next(s for s, score in zip(steps, scores, strict=True) if score >= (scores[0] + scores[-1]) / 2))


@pytest.mark.parametrize("text", COPIED)
def test_the_birth_of_the_induction_head_is_found_within_one_snapshot(text):
    steps = gallery.get("induction").checkpoints()
    found = [event for event in head_events(looked_at(text)) if "induction" in event.what]
    assert len(found) == 1 and "Head 1.3" in found[0].what
    assert abs(steps.index(found[0].step) - steps.index(born_in_the_story())) <= 1


def test_all_events_of_the_copier_are_in_order_and_can_be_translated():
    found = events_of(gallery.get("induction"), looked_at(COPIED[0]))
    assert {"head", "answer", "best"} <= {event.kind for event in found}
    assert [event.step for event in found] == sorted(event.step for event in found)
    assert all(isinstance(event.what, Message) and event.what.template != event.what for event in found[-1:])
    assert [event.step for event in found if event.kind == "best"] == [1500]


def test_the_head_that_the_induction_head_builds_on_is_found_too():
    assert any("Head 0.3" in event.what and "back" in event.what for event in head_events(looked_at(COPIED[0])))


def test_a_short_text_or_one_frame_names_no_heads():
    assert head_events(looked_at("abc")) == [] and head_events(looked_at(COPIED[0])[-1:]) == []


def frame(step, right):
    return Frame({"kind": "values", "step": step, "right": right})


def test_the_first_right_answer():
    found = answer_events([frame(0, [False, False]), frame(5, [False, True]), frame(9, [True, True])], [])
    assert [event.step for event in found] == [9, 5] and all(event.kind == "answer" for event in found)
    assert answer_events([frame(0, [True]), frame(5, [True])], []) == [], "it was right from the beginning"
    assert answer_events([frame(0, []), frame(5, [])], []) == [], "nothing was asked"
    assert len(answer_events([frame(0, [False]), frame(5, [True])], [])) == 1


def test_answers_to_validation_questions():
    rows = [Metric(step, "eval", val_exact=share) for step, share in ((10, 0.0), (20, 0.1), (30, 0.4), (40, 0.6))]
    assert [event.step for event in answer_events([], rows)] == [20, 40]
    sudden = [Metric(10, "eval", val_exact=0.0), Metric(20, "eval", val_exact=0.9)]
    assert [event.step for event in answer_events([], sudden)] == [20]


def evaluated(losses):
    return [Metric(10 * (i + 1), "eval", val_loss=loss) for i, loss in enumerate(losses)]


def test_a_plateau_is_found_where_the_curve_was_made_flat():
    losses = [6, 5, 4, *[3.0 - 0.001 * i for i in range(10)], 2, 1, 0.5]
    (found,) = plateaus(evaluated(losses))
    assert found.step == 40 and "step 40 to 130" in found.what
    noisy = np.random.default_rng(0).normal(0, 0.01, len(losses)) + losses
    assert plateaus(evaluated(noisy))[0].step in (40, 50)


def test_there_is_no_plateau_in_a_steady_fall_nor_at_the_end():
    assert plateaus(evaluated(np.linspace(6, 1, 30))) == []
    assert plateaus(evaluated([6, 5, 4, 3, 2, 1, *[1.0] * 20])) == []
    assert plateaus(evaluated([2.0] * 20)) == [] and plateaus([]) == []


def test_grokking_has_its_plateau_before_most_answers_are_right():
    rows = list(gallery.get("grokking").each_metric())
    (flat,) = plateaus(rows)
    most = next(event.step for event in answer_events([], rows) if "half" in event.what)
    end = int(flat.what.values["ends"].replace(",", ""))
    assert flat.step <= 500 and end - flat.step > 1500 and end <= most


def test_the_training_loss_stands_in_where_there_were_few_evaluations():
    losses = [6, 5, 4, *[3.0] * 10, 2, 1, 0.5]
    rows = [Metric(i + 1, "train", loss=loss) for i, loss in enumerate(losses)]
    assert plateaus(rows)[0].step == 4
    assert len(events.loss_curve([Metric(i, "train", loss=1.0) for i in range(1000)])) == events.BINS


def test_the_best_validation():
    assert best_validation(evaluated([3, 1, 2]))[0].step == 20
    assert best_validation(evaluated([3])) == []
