"""Runs, settings and exports of earlier versions: old names of settings are read, and never written.

``old_home.json`` holds the files of four small runs as the version before the names were changed wrote them, every renamed
setting at a value that is not the default.
"""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from models.hyperparameters import Hyperparameters
from models.spec import ModelSpec, SpecError
from playground.runs.config import FORMAT, RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.folder import RunFolder
from playground.runs.old_keys import KEYS, VALUES, present_name, present_value, with_present_groups, with_present_names
from playground.runs.settings import parse_settings
from playground.runs.status import Status

OLD = json.loads((Path(__file__).parent / "old_home.json").read_text())
SPECS = {"model": ModelSpec, "training": TrainingSpec, "finetune": FineTuneSpec, "labelled": LabelledSpec}


@pytest.fixture(params=OLD)
def old_run(request, tmp_path) -> RunFolder:
    """A run's folder as the earlier version left it."""
    folder = tmp_path / request.param
    folder.mkdir()
    for name, content in OLD[request.param].items():
        (folder / name).write_text(json.dumps(content))
    return RunFolder(folder)


def test_the_table_names_settings_that_are_there():
    for group, renamed in KEYS.items():
        present = {field.name for field in fields(SPECS[group])}
        assert set(renamed.values()) <= present and not set(renamed) & present
        assert len(set(renamed.values())) == len(renamed)
    for (group, name), _ in VALUES.items():
        assert name in {field.name for field in fields(SPECS[group])}


def test_the_old_home_has_every_old_name_at_another_value_than_the_default():
    """Else a name that is not read would go unseen."""
    default = {"model": Hyperparameters, "training": TrainingSpec, "finetune": FineTuneSpec, "labelled": LabelledSpec}
    said: set[tuple[str, str]] = set()
    for run in OLD.values():
        about = run["run.json"]
        tuned = about.get("finetune") or {}
        groups = {**about, "finetune": tuned, "labelled": tuned.get("labelled") or {}}
        for group, renamed in KEYS.items():
            for old, new in renamed.items():
                value = groups[group].get(old)
                value = tuple(value) if isinstance(value, list) else value
                if old in groups[group] and value != getattr(default[group], new):
                    said.add((group, old))
    assert said == {(group, old) for group, renamed in KEYS.items() for old in renamed}
    assert OLD["old-decoder"]["run.json"]["training"]["loss_on"] == "answer"


def test_an_old_run_says_what_it_said(old_run):
    about, config = OLD[old_run.id]["run.json"], old_run.config()
    training, told = config.training, about["training"]
    assert training.final_lr_fraction == told["final_lr"] and training.constant_fraction == told["hold"]
    assert training.gradient_accumulation_steps == told["accumulate"] and training.patience == told["early_stop"]
    assert training.sample_max_new_tokens == told["sample_tokens"]
    assert training.loss_on == {"answer": "completion", "all": "all"}[told["loss_on"]]
    assert config.model.chrono_max_span == about["model"]["memory_span"]
    if tuned := about.get("finetune"):
        assert config.finetune.target_modules == tuple(tuned["matrices"])
        if tuned["labelled"]:
            assert config.finetune.labelled.train_fraction == tuned["labelled"]["share"]
    assert RunConfig.from_dict(about) == config == RunConfig.from_dict(old_run.about())
    assert old_run.status().state == "finished" and isinstance(old_run.status(), Status)


def test_everybody_who_reads_run_json_finds_present_names(old_run):
    about = old_run.about()
    tuned = about.get("finetune") or {}
    groups = {**about, "finetune": tuned, "labelled": tuned.get("labelled") or {}}
    for group, renamed in KEYS.items():
        assert not set(renamed) & set(groups[group]), group
    ModelSpec.from_dict(about["model"])


def test_old_names_are_not_written(old_run):
    old_run.write_config(old_run.config())
    written = json.loads((old_run.path / "run.json").read_text())
    assert written["format"] == FORMAT and with_present_groups(written) == written
    assert written["created"] == OLD[old_run.id]["run.json"]["created"]


def test_old_names_after_set():
    pairs = [f"training.{old}={value}" for old, value in {"final_lr": 0.3, "hold": 0.2, "accumulate": 4}.items()]
    pairs += ["training.early_stop=3", "training.sample_tokens=9", "training.loss_on=answer", "model.memory_span=7"]
    pairs += ["finetune.matrices=query,up", "labelled.share=0.5"]
    changes = parse_settings(pairs, SPECS)
    assert changes["training"] == {
        "final_lr_fraction": 0.3,
        "constant_fraction": 0.2,
        "gradient_accumulation_steps": 4,
        "patience": 3,
        "sample_max_new_tokens": 9,
        "loss_on": "completion",
    }
    assert changes["model"] == {"chrono_max_span": 7} and changes["labelled"] == {"train_fraction": 0.5}
    assert changes["finetune"] == {"target_modules": ("query", "up")}


def test_a_setting_under_both_names_is_refused():
    with pytest.raises(SpecError, match="twice"):
        parse_settings(["training.hold=0.1", "training.constant_fraction=0.2"], SPECS)
    both = {**OLD["old-lstm"]["run.json"]["training"], "patience": 2}
    with pytest.raises(SpecError, match="early_stop"):
        TrainingSpec.from_dict(with_present_names("training", both))


@pytest.mark.parametrize("damage", [None, 3, "x", [], {"hold": [1]}, {3: 4}, {"loss_on": ["answer"]}])
def test_damage_stays_damage(damage):
    """What is no mapping, or has keys and values of other kinds, is left to the check of the settings."""
    found = with_present_groups({"training": damage, "finetune": {"labelled": damage}, "name": "x"})
    assert found["name"] == "x"
    if not isinstance(damage, dict):
        assert found["training"] is damage and found["finetune"]["labelled"] is damage


def test_other_names_and_values_stay():
    assert present_name("data", "share") == "share" and present_name("nothing", "hold") == "hold"
    assert present_value("training", "loss_on", "all") == "all" and present_value("training", "seed", 3) == 3
