import pytest

from models.presets import PRESETS
from playground.runs import naming
from playground.text.spec import DataSpec


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/b",
        "a\\b",
        "-x",
        "A",
        "x.y",
        "x\n",
        "ü",
        "a" * 81,
        "c:",
        "x\0",
        "~root",
    ],
)
def test_ids_are_never_paths(text):
    assert not naming.is_id(text)


@pytest.mark.parametrize("name", ["LSTM → GRU, lr × 3", "../../etc", "日本語", "", "a" * 500, "--", "Ünïcode"])
def test_every_name_gives_an_id(name):
    first, second = naming.new_id(name), naming.new_id(name)
    assert naming.is_id(first) and first != second


def test_slug_is_readable():
    assert naming.slug("LSTM → GRU, lr × 3") == "lstm-gru-lr-3"


def test_numbered():
    assert naming.numbered("a", []) == "a"
    assert naming.numbered("a", ["a"]) == "a (2)"
    assert naming.numbered("a (2)", ["a", "a (2)"]) == "a (3)"


def test_a_run_is_named_by_its_difference(config):
    gru = config.replace(
        model=config.model.replace(architecture="gru"),
        training=config.training.replace(lr=config.training.lr * 3),
    )
    assert naming.difference(gru, config) == "lstm → gru, lr × 3"
    assert naming.difference(config, gru) == "gru → lstm, lr ÷ 3"
    assert naming.name_for(gru, config) == "lstm → gru, lr × 3"


def test_differences_in_words(config):
    def named(model=(), **training):
        changed = config.replace(
            model=config.model.replace(**dict(model)), training=config.training.replace(**training)
        )
        return naming.difference(changed, config)

    assert named() == ""
    assert named(lr=0.0015) == "lr 0.001 → 0.0015"
    assert named(batch_size=24) == "batch × 2"
    assert named(optimizer="sgd") == "adamw → sgd"
    assert named({"tie_embeddings": not config.model.tie_embeddings}).endswith("tie embeddings")
    assert named(seed=7) == "seed 0 → 7"
    assert named({"dropout": 0.1}) == "dropout 0 → 0.1"
    assert named(seed=1, grad_clip=0.5, warmup_steps=7, beta1=0.5, momentum=0.3, constant_fraction=0.3).endswith(
        ", 2 more"
    )


def test_without_another_run_it_is_model_and_text(config):
    assert naming.name_for(config) == "lstm-tiny on python-docs"
    own = config.replace(data=DataSpec("file", path="/x/uploads/1f/Letters home.txt"))
    assert naming.name_for(own) == "lstm-tiny on Letters home"
    assert naming.name_for(config.replace(name="another"), config) == "lstm-tiny on python-docs"


def test_a_text_of_ones_own_differs_by_its_name_and_never_by_its_place(config):
    letters = config.replace(
        data=DataSpec("file", path="/x/uploads/1f/Letters home.csv", text_column="text", encoding="cp1252")
    )
    diary = config.replace(data=DataSpec("file", path="/x/uploads/2e/My diary.txt"))
    newer = config.replace(data=DataSpec("file", path="/x/uploads/3d/My diary.txt"))
    assert naming.difference(letters, config) == "python-docs → Letters home"
    assert naming.difference(config, letters) == "Letters home → python-docs"
    assert naming.difference(diary, letters) == "Letters home → My diary"
    assert naming.difference(newer, diary) == "another “My diary”"


def test_every_pair_of_presets_has_a_name(config):
    for preset in PRESETS.values():
        if "clm" in preset.spec.objectives():
            other = config.replace(model=preset.spec, preset=preset.name)
            assert len(naming.name_for(other, config)) < 160
