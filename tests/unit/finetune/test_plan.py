"""Which fine-tuning goes with which parent, and the twins that show what a choice is worth."""

import pytest

from models.spec import ModelSpec
from playground.core.errors import PlaygroundError, UserError
from playground.finetune.plan import baseline_run, comparable_runs, parent_of, plan, with_seed, with_train_fraction
from playground.runs import gallery
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec

VERSES = FineTuneSpec("classify", LabelledSpec("bible-unread"))
PAIRS = DataSpec("jupyterlab-zh")
HEADER = b'{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'


def parent(architecture: str, objective: str, trained: bool = True):
    spec = ModelSpec(architecture, vocab_size=300, d_model=32, n_layers=1, n_heads=2)
    data = DataSpec("python-docs", tokenizer=TokenizerSpec("char"))
    run = RunStore().create(RunConfig(f"an {architecture}", spec, data, TrainingSpec(objective)))
    if trained:
        run.save_checkpoint(7, {"model.safetensors": len(HEADER).to_bytes(8, "little") + HEADER})
    return run


@pytest.mark.parametrize(
    "which, tuned, data, words",
    [
        (("encoder-decoder", "seq2seq"), VERSES, None, "takes no head for labels"),
        (("lstm-attention", "seq2seq"), VERSES, None, "takes no head for labels"),
        (("encoder", "mlm"), FineTuneSpec("answer"), PAIRS, "cannot write answers"),
        (("decoder", "clm"), FineTuneSpec("answer"), DataSpec("python-docs"), "needs questions with answers"),
        (
            ("encoder-decoder", "seq2seq"),
            FineTuneSpec("language"),
            DataSpec("python-docs"),
            "needs questions with answers",
        ),
        (("decoder", "clm"), FineTuneSpec("language"), None, "No text was chosen"),
    ],
)
def test_what_does_not_go_together_is_said(which, tuned, data, words):
    with pytest.raises(UserError, match=words) as caught:
        plan(parent(*which), tuned, data)
    assert caught.value.hint


def test_a_parent_without_weights_is_refused():
    with pytest.raises(PlaygroundError, match="has no checkpoint yet"):
        plan(parent("decoder", "clm", trained=False), VERSES)
    with pytest.raises(PlaygroundError, match="no checkpoint of step 3"):
        plan(parent("decoder", "clm"), VERSES, step=3)


def test_what_a_plan_takes_from_its_parent():
    run = parent("encoder", "mlm")
    config = plan(run, VERSES, lr=0.5)
    assert config.parent == {"run": run.id, "step": 7} and config.training.objective == "mlm"
    assert config.training.lr == 0.5 and config.model.dropout == 0.1
    assert config.model.replace(dropout=0.0) == run.config().model
    answer = plan(parent("decoder", "clm"), FineTuneSpec("answer"), PAIRS)
    assert (answer.training.loss_on, answer.data.tokenizer) == ("completion", TokenizerSpec("char"))
    assert answer.model.dropout == 0.0


def test_twins_differ_in_one_thing():
    run = parent("encoder", "mlm")
    config = plan(run, VERSES.replace(method="lora", layer_decay=0.8), batch_size=7)
    scratch = baseline_run(config, "scratch", run.config())
    assert scratch.finetune == config.finetune.replace(method="all", layer_decay=1.0, from_scratch=True)
    assert scratch.training == config.training.replace(lr=1e-3) and scratch.parent == config.parent
    head = baseline_run(scratch, "head", run.config())
    assert head.finetune.method == "head" and not head.finetune.from_scratch and head.training.lr == 1e-2
    with pytest.raises(PlaygroundError, match="nothing to compare called 'magic'"):
        baseline_run(config, "magic", run.config())
    tenth = with_train_fraction(config, 0.1, run.config())
    assert tenth.finetune == config.finetune.replace(labelled=config.finetune.labelled.replace(train_fraction=0.1))
    assert tenth.training == config.training and "10%" in tenth.name
    other = with_seed(config, 5)
    assert other.training == config.training.replace(seed=5) and other.finetune == config.finetune
    names = {each.name for each in (config, scratch, head, tenth, other)}
    assert len(names) == 5


def test_a_family_answers_the_same_question():
    run = parent("encoder", "mlm")
    config = plan(run, VERSES)
    same = [
        config,
        baseline_run(config, "scratch", run.config()),
        with_train_fraction(config, 0.3, run.config()),
        with_seed(config, 2),
    ]
    others = [
        plan(parent("encoder", "mlm"), VERSES),
        plan(run, VERSES.replace(labelled=LabelledSpec("bible-sections"))),
        plan(run, VERSES.replace(labelled=LabelledSpec("bible-unread", seed=9))),
        plan(run, FineTuneSpec("language"), DataSpec("python-code")),
    ]
    runs = [RunStore().create(each) for each in (*same, *others)]
    assert [found.id for found, _ in comparable_runs(config, [run, *runs])] == [each.id for each in runs[:4]]


def test_a_parent_that_is_elsewhere_is_said_in_a_sentence():
    config = gallery.get("names-zh").config()  # the encoder that it began from does not ship
    with pytest.raises(PlaygroundError, match="started from is not on this machine") as found:
        parent_of(config)
    assert config.parent["run"] in str(found.value.hint)
