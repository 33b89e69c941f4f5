"""What a spec takes, its page takes: runs, links and presets from anywhere open, whatever their numbers are."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from models.presets import PRESETS
from models.spec import ModelSpec, SpecError
from playground.runs.config import DEVICES, DTYPES, NUMBERS, OPTIMIZERS, SCHEDULES, RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.text.spec import BASE_SIZE, KINDS, LARGEST_VOCABULARY, DataSpec, TokenizerSpec

FEW = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=timedelta(minutes=1),
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WHOLE = [f.name for f in dataclasses.fields(TrainingSpec) if f.type in (int, "int")]


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))


def widget(app, kind: str, label: str):
    return next(found for found in app.get(kind) if found.label == label)


def corners(name: str) -> some.SearchStrategy:
    """The least, the most, and something between that no step of a widget meets."""
    low, high = NUMBERS[name]
    if name in WHOLE:
        return some.sampled_from([low, high, min(high, low + 12_347)])
    return some.sampled_from([float(low), float(high), low, low + (high - low) * 0.12347])


@some.composite
def trainings(draw) -> TrainingSpec:
    numbers = {name: draw(corners(name)) for name in NUMBERS if name != "gradient_accumulation_steps"}
    numbers["gradient_accumulation_steps"] = draw(some.sampled_from([1, numbers["batch_size"]]))
    kept = draw(some.sampled_from([(), tuple(range(1, 40)), (numbers["steps"],)]))
    return TrainingSpec(
        **numbers,
        keep_steps=kept,
        optimizer=draw(some.sampled_from(OPTIMIZERS)),
        schedule=draw(some.sampled_from(SCHEDULES)),
        device=draw(some.sampled_from(DEVICES)),
        dtype=draw(some.sampled_from(DTYPES)),
        compile=draw(some.sampled_from(["auto", "on", "off"])),
        sample_prompt=draw(some.sampled_from(["", "`*[x](http://x.invalid)"])),
    )


LARGEST = TrainingSpec(**{name: high for name, (_, high) in NUMBERS.items()}, optimizer="muon", objective="mlm")
"""Every number at its upper bound."""


def test_every_setting_of_training_has_a_box_that_takes_it(open_page):
    """The form that begins with a run gives the run's own settings back."""

    @FEW
    @given(training=trainings())
    def opens(training: TrainingSpec) -> None:
        run = RunStore().create(RunConfig("like", PRESETS["gpt2-tiny"].spec, DataSpec("python-docs"), training))
        app = open_page("train", like=run.id)
        assert not app.error, [error.value for error in app.error]
        assert widget(app, "number_input", "Warm-up (steps)").value == training.warmup_steps
        assert widget(app, "number_input", "Clip gradients at norm (0: off)").value == training.grad_clip
        assert widget(app, "number_input", "CPU threads (0: all cores)").value == training.threads

    opens()


def test_the_largest_of_everything_opens_and_is_kept(open_page):
    run = RunStore().create(RunConfig("like", PRESETS["bert-tiny"].spec, DataSpec("python-docs"), LARGEST))
    app = open_page("train", like=run.id)
    assert not app.error, [error.value for error in app.error]
    assert [widget(app, "number_input", f"Adam β{n}").value for n in "₁₂"] == [0.99999, 0.99999]
    assert widget(app, "number_input", "Momentum").value == 0.99999
    assert widget(app, "slider", "Fraction of tokens masked").value == 0.95


def test_a_link_says_what_a_box_takes(open_page):
    told = {
        "beta2": "0.99999",
        "warmup_steps": "200000",
        "grad_clip": "2000000",
        "threads": "300",
        "patience": "5000",
    }
    app = open_page("train", preset="gpt2-tiny", **told)
    assert not app.error
    assert {name: float(app.query_params[name]) for name in told} == {
        name: float(value) for name, value in told.items()
    }


@some.composite
def tunings(draw) -> FineTuneSpec:
    labelled = LabelledSpec(
        "bible-unread",
        validation_fraction=draw(some.sampled_from([0.01, 0.5])),
        train_fraction=draw(some.sampled_from([1e-6, 1])),
        test_fraction=draw(some.sampled_from([0.01, 0.5])),
        limit=draw(some.sampled_from([0, 10**9])),
    )
    return FineTuneSpec(
        "classify",
        labelled,
        draw(some.sampled_from(["all", "last", "lora"])),
        draw(some.sampled_from([1, 10_000])),
        draw(some.sampled_from([1, 4096])),
        draw(some.sampled_from([1e-3, 1e5, 16])),
        draw(some.sampled_from([(), ("up",)])) or ("query",),
        draw(some.sampled_from([0.01, 1])),
        head_dropout=draw(some.sampled_from([0, 0.9])),
    )


@pytest.mark.parametrize("page", ["finetune", "runs", "train"])
def test_every_way_to_fine_tune_opens(open_page, page):
    """The run that is to be trained: watched, beside others in the table, and as the beginning of a plan."""

    @FEW
    @given(tuned=tunings(), training=trainings())
    def opens(tuned: FineTuneSpec, training: TrainingSpec) -> None:
        config = RunConfig(
            "tuned",
            PRESETS["gpt2-tiny"].spec,
            DataSpec("python-docs"),
            training,
            parent={"run": "bible-decoder", "step": 0},
            finetune=tuned,
        )
        run = RunStore().create(config)
        query = {"finetune": {"run": run.id}, "runs": {"runs": run.id, "view": "settings"}, "train": {"like": run.id}}
        app = open_page(page, **query[page])
        assert not app.error, [error.value for error in app.error]
        RunStore().delete(run.id)

    opens()


@some.composite
def models(draw) -> ModelSpec:
    spec = PRESETS[draw(some.sampled_from(["modern-tiny", "gru-tiny", "bert-tiny", "seq2seq-tiny"]))].spec
    changes = {
        "d_model": [1, 48, 1_000_000],
        "n_layers": [1, 500],
        "context_length": [1, 17, 100_000_000],
        "n_heads": [1, 100_000],
        "d_mlp": [None, 1, 10_000_000],
        "norm_eps": [1, 1e-299, 1e299],
        "rope_theta": [1, 1e-299, 1e299],
        "logit_softcap": [None, 1, 1e299],
        "init_std": [None, 10, 1e-299],
        "dropout": [0, 0.999_999],
    }
    for name, values in changes.items():
        try:
            spec = spec.replace(**{name: draw(some.sampled_from(values))})
        except SpecError:
            continue
    return spec


def test_every_model_opens_in_build(open_page):
    """As the session brings it from another page, and by a link."""
    from playground.ui.model_draft import differences

    @FEW
    @given(spec=models())
    def opens(spec: ModelSpec) -> None:
        preset = next(name for name, each in PRESETS.items() if each.spec.architecture == spec.architecture)
        app = open_page("build", preset=preset, **differences(spec, preset))
        assert app.session_state["draft.model"] == spec.replace(vocab_size=0).to_dict()
        assert not app.error, [error.value for error in app.error]

    opens()


def test_whole_numbers_where_a_fraction_could_be_open_in_build(open_page):
    """JSON of other programs writes 10000 where ours writes 10000.0."""
    app = open_page("build")
    whole = PRESETS["modern-tiny"].spec.replace(rope_theta=10_000, norm_eps=1, dropout=0, logit_softcap=30, init_std=1)
    app.session_state["draft.model"] = whole.to_dict()
    del app.session_state["build.values"]
    app.query_params.clear()
    app.run()
    assert not app.exception and not app.error
    assert widget(app, "slider", "Dropout").value == 0


@some.composite
def texts(draw) -> DataSpec:
    kind = draw(some.sampled_from(sorted(KINDS)))
    size = draw(some.sampled_from([BASE_SIZE, 777, LARGEST_VOCABULARY]))
    return DataSpec(
        draw(some.sampled_from(["python-docs", "task-reversal"])),
        tokenizer=TokenizerSpec(kind, size),
        max_bytes=draw(some.sampled_from([None, 1, 1234, 10**17])),
        seed=draw(some.sampled_from([0, 2**62])),
        validation_fraction=draw(some.sampled_from([0.001, 0.5])),
    )


def test_every_text_opens_in_data(open_page, monkeypatch):
    from playground.ui.text_address import said

    monkeypatch.setattr("playground.pages.data.page.ready", lambda spec: None)  # the form alone: nothing is read

    @FEW
    @given(spec=texts())
    def opens(spec: DataSpec) -> None:
        app = open_page("data", **{name: str(value) for name, value in said(spec).items() if value is not None})
        seen = DataSpec.from_dict(app.session_state["draft.data"])
        assert seen.tokenizer == spec.tokenizer
        assert seen.max_bytes == (spec.max_bytes if spec.corpus == "python-docs" else None), "tasks have no end"

    opens()
