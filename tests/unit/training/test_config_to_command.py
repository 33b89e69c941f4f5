"""A run told as a command line, or as Python, is the same run when it is read back."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.presets import PRESETS, nearest_preset
from models.spec import ModelSpec
from playground.cli.finetune_command import config_from as finetuned_from
from playground.cli.main import parser
from playground.cli.train_command import config_from
from playground.finetune.plan import baseline_run, plan
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.runs.unused_settings import unused_settings
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training.config_to_command import command_line, python_code
from playground.training.recipes import recipe
from tests.support.run_weights import with_weights


def read_back(line: str) -> RunConfig:
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "playground"]
    return config_from(parser().parse_args(words[3:]), RunStore())


def same(read: RunConfig, config: RunConfig) -> bool:
    """Whether a run came back, but for the settings that nothing of it reads: no command tells those."""
    changed: dict[str, dict] = {}
    for name in unused_settings(config):
        group, field = name.split(".")
        spec = read.finetune.labelled if group == "labelled" else getattr(read, group)
        changed.setdefault(group, {})[field] = getattr(spec, field)
    labelled = changed.pop("labelled", {})
    if labelled:
        changed.setdefault("finetune", {})["labelled"] = config.finetune.labelled.replace(**labelled)
    return read == config.replace(
        **{group: getattr(config, group).replace(**values) for group, values in changed.items()}
    )


def executed(code: str) -> RunConfig:
    found: dict = {"__name__": "elsewhere"}
    exec(code, found)
    return found["config"]


def config_for(preset: str, data: DataSpec | None = None, model: dict | None = None, **training) -> RunConfig:
    spec = PRESETS[preset].spec.replace(**(model or {}))
    corpus = "task-reversal" if spec.reads_pairs else "python-docs"
    kind = "char" if corpus.startswith("task") else "bpe"
    return RunConfig(
        name=f"{preset} again",
        model=spec,
        data=data or DataSpec(corpus, tokenizer=TokenizerSpec(kind)),
        training=recipe(preset).replace(**training),
        preset=preset,
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_comes_back_and_is_told_briefly(preset):
    config = config_for(preset)
    line = command_line(config)
    assert read_back(line) == config and "--set" not in line
    assert executed(python_code(config)) == config


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.integers(1, 10**6),
        "lr": st.floats(1e-9, 10),
        "muon_lr": st.floats(0, 1),
        "batch_size": st.integers(1, 500),
        "optimizer": st.sampled_from(["adamw", "muon", "sgd"]),
        "sample_prompt": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        "keep_steps": st.lists(st.integers(0, 999), max_size=3).map(tuple),
        "snapshots": st.integers(-1, 200),
        "beta2": st.floats(0, 0.999),
        "loss_on": st.sampled_from(["all", "completion"]),
        "seed": st.integers(0, 2**31 - 1),
        "device": st.sampled_from(["auto", "cpu"]),
    },
)
MODELS = st.fixed_dictionaries(
    {},
    optional={
        "d_model": st.sampled_from([48, 96, 192]),
        "n_kv_heads": st.sampled_from([None, 1, 2]),
        "logit_softcap": st.sampled_from([None, 30.0]),
        "dropout": st.floats(0, 0.9),
        "tie_embeddings": st.booleans(),
        "position": st.sampled_from(["rotary", "alibi", "none"]),
    },
)
DATA = st.builds(
    DataSpec,
    corpus=st.sampled_from(["python-docs", "python-code", "task-recall", "hf:someone/text:config"]),
    tokenizer=st.builds(TokenizerSpec, st.sampled_from(["bpe", "char", "byte"]), st.integers(260, 5000)),
    max_bytes=st.none() | st.integers(1, 10**9),
    validation_fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 99),
    encoding=st.sampled_from([None, "gb18030"]),
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["gpt2-tiny", "modern-small", "llama-tiny"]), CHANGES, MODELS, DATA)
def test_any_choice_survives_the_round_trip(preset, training, model, data):
    config = config_for(preset, data, model, **training)
    assert same(read_back(command_line(config)), config)
    assert executed(python_code(config)) == config


def test_task_options_columns_and_awkward_names(tmp_path):
    file = tmp_path / "a file; rm -rf $HOME.csv"
    file.write_text("text,label\nhello,1\n")
    tasks = DataSpec("task-recall", options={"distance": 40}, tokenizer=TokenizerSpec("char"))
    table = DataSpec("file", path=str(file), text_column="- text", tokenizer=TokenizerSpec("word", 500))
    for data in (tasks, table):
        config = config_for("gru-tiny", data).replace(name="--set 'x' \"y\"\n$(true)")
        assert same(read_back(command_line(config)), config)
        assert executed(python_code(config)) == config


def test_a_model_of_no_preset_is_told_by_the_nearest():
    spec = ModelSpec(
        "decoder",
        norm="rmsnorm",
        position="rotary",
        mlp="swiglu",
        bias=False,
        tie_embeddings=False,
        d_model=96,
    )
    config = RunConfig("my own", spec, DataSpec("python-docs"), TrainingSpec())
    assert nearest_preset(spec) == "llama-tiny"
    assert read_back(command_line(config)).replace(preset=None) == config


def test_a_branch_names_its_parent(new_run):
    parent = new_run(model={"vocab_size": 300})
    with_weights(parent)
    config = parent.config().replace(name="branch", parent={"run": parent.id, "step": 7}, preset="gpt2-tiny")
    line = command_line(config)
    assert f"--branch-from {parent.id}@7" in line
    assert read_back(line) == config and executed(python_code(config)) == config


def test_the_vocabulary_follows_from_the_tokenizer():
    config = config_for("gpt2-tiny", model={"vocab_size": 1024})
    assert read_back(command_line(config)).model.vocab_size == 0


LABELLED = st.builds(
    LabelledSpec,
    dataset=st.sampled_from(["bible-unread", "bible-sections"]),
    validation_fraction=st.floats(0.01, 0.5),
    test_fraction=st.sampled_from([0.1, 0.2]),
    train_fraction=st.floats(0.001, 1),
    limit=st.integers(0, 10**6),
    seed=st.integers(0, 99),
)
TUNED = st.fixed_dictionaries(
    {"method": st.sampled_from(["all", "last", "lora"])},
    optional={
        "rank": st.integers(1, 64),
        "alpha": st.floats(0.5, 100),
        "target_modules": st.sets(st.sampled_from(["query", "key", "up"]), min_size=1).map(tuple),
        "last_layers": st.integers(1, 9),
        "layer_decay": st.floats(0.1, 1),
        "class_weights": st.sampled_from(["none", "balanced"]),
        "pooling": st.sampled_from(["auto", "first"]),
        "head_dropout": st.floats(0, 0.9),
        "from_scratch": st.booleans(),
    },
)
TRAINING = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.integers(1, 10**5),
        "lr": st.floats(1e-9, 10),
        "batch_size": st.integers(1, 500),
        "seed": st.integers(0, 99),
        "optimizer": st.sampled_from(["adamw", "muon"]),
        "device": st.sampled_from(["auto", "cpu"]),
        "warmup_steps": st.integers(0, 99),
    },
)


@pytest.fixture(scope="module")
def a_parent():
    """A run with a checkpoint that nobody will load."""
    spec = ModelSpec("decoder", vocab_size=300, d_model=32, n_layers=1, n_heads=2, context_length=16)
    run = RunStore().create(
        RunConfig("to go on from", spec, DataSpec("python-docs", tokenizer=TokenizerSpec("char")), preset="gpt2-tiny")
    )
    with_weights(run)
    return run


def tuned_back(line: str) -> RunConfig:
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "playground", "finetune"]
    return finetuned_from(parser().parse_args(words[3:]), RunStore())


@settings(deadline=None, max_examples=100)
@given(TUNED, LABELLED, TRAINING, st.sampled_from([{}, {"dropout": 0.0}, {"dropout": 0.25}]))
def test_a_fine_tuned_run_survives_the_round_trip(a_parent, tuned, labelled, training, model):
    config = plan(a_parent, FineTuneSpec("classify", labelled, **tuned), model=model, **training)
    assert same(tuned_back(command_line(config)), config)
    assert executed(python_code(config)) == config


@settings(deadline=None, max_examples=50)
@given(TUNED, st.sampled_from(["language", "answer"]), DATA, TRAINING)
def test_text_that_is_gone_on_with_survives_it_too(a_parent, tuned, task, data, training):
    if task == "answer":
        data = DataSpec("task-recall", options={"distance": 40}, seed=data.seed, template="- Q: {question}?\nA:")
    config = plan(a_parent, FineTuneSpec(task, **tuned), data, **training)
    assert same(tuned_back(command_line(config)), config)
    assert executed(python_code(config)) == config


def test_a_persons_tables_and_their_columns_survive_it(a_parent, tmp_path):
    file = tmp_path / "a file; rm -rf $HOME.csv"
    file.write_text("text,label,answer\nhello,1,2\n")
    labelled = LabelledSpec("file", path=str(file), text_column="- text", label_column="label")
    pairs = DataSpec("file", path=str(file), source_column="text", target_column="answer", template="{question} =")
    plain = plan(a_parent, FineTuneSpec("tag", labelled))
    answer = plan(a_parent, FineTuneSpec("answer"), pairs, name="--set 'x' \"y\"\n$(true)")
    for config in (
        plain,
        answer,
        baseline_run(plain, "scratch", a_parent.config()),
        baseline_run(plain, "lora", a_parent.config()),
    ):
        assert same(tuned_back(command_line(config)), config)
        assert executed(python_code(config)) == config


def test_a_fine_tuned_run_is_told_briefly(a_parent):
    config = plan(a_parent, FineTuneSpec("classify", LabelledSpec("bible-unread"), method="lora", rank=4), name="mine")
    assert command_line(config) == (
        f"python -m playground finetune {a_parent.id}@7 --task classify --data bible-unread --method lora "
        "--name mine --rank 4"
    )


def test_a_fine_tuned_run_whose_parent_is_gone_still_names_it(a_parent):
    config = plan(a_parent, FineTuneSpec("classify", LabelledSpec("bible-unread")))
    config = config.replace(parent={"run": "gone-abcdef", "step": 3})
    assert "finetune gone-abcdef@3 --task classify --data bible-unread" in command_line(config)


def test_a_script_may_read_the_file_that_it_names(tmp_path, monkeypatch):
    """A path in a run's settings alone is anybody's word; whoever runs the script is the owner."""
    from playground.core import paths

    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(paths.READ)
    text = tmp_path / "my novel.txt"
    text.write_text("".join(f"Line {n} of a novel that is long enough.\n" for n in range(500)))
    config = RunConfig(
        "mine",
        PRESETS["lstm-tiny"].spec,
        DataSpec("file", path=str(text)),
        TrainingSpec(steps=1, eval_every=1, device="cpu"),
    )
    code = python_code(config)
    assert f"grant({str(text)!r})" in code and not paths.may_read(text)
    exec(code, {"__name__": "__main__"})
    assert paths.may_read(text)
    assert "grant" not in python_code(config.replace(data=DataSpec("python-docs")))
