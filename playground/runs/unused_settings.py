"""Settings that a run has and nothing of it reads: of another optimizer, another architecture, another method."""

from collections.abc import Callable, Collection

from playground.runs.config import RunConfig
from playground.text.catalogue import CORPORA

Rule = tuple[str, tuple[str, ...], Callable[[RunConfig, Collection[str]], bool], str]


def _labels(config: RunConfig) -> bool:
    return config.finetune is not None and config.finetune.reads_labels


def _reads_labelled_file(config: RunConfig) -> bool:
    labelled = config.finetune.labelled if config.finetune else None
    return labelled is not None and labelled.dataset == "file"


def _starts_fresh(config: RunConfig, ways: Collection[str]) -> bool:
    return config.parent is None or "scratch" in ways or (config.finetune is not None and config.finetune.from_scratch)


_MODEL: tuple[Rule, ...] = (
    (
        "model",
        ("n_heads", "n_kv_heads", "mlp", "d_mlp", "norm_position", "position", "qk_norm"),
        lambda run, ways: not run.model.is_recurrent,
        "by transformers",
    ),
    (
        "model",
        ("rope_theta",),
        lambda run, ways: not run.model.is_recurrent and run.model.position == "rotary",
        "with model.position=rotary",
    ),
    (
        "model",
        ("norm", "norm_eps"),
        lambda run, ways: not run.model.is_recurrent or run.model.embedding_norm,
        "by transformers, and with model.embedding_norm=true",
    ),
    ("model", ("head_activation",), lambda run, ways: run.model.head_transform, "with model.head_transform=true"),
    ("model", ("nonlinearity",), lambda run, ways: run.model.architecture == "rnn", "by the architecture rnn"),
    (
        "model",
        ("zero_init",),
        lambda run, ways: not run.model.is_recurrent or not run.model.tie_embeddings,
        "by transformers, and with model.tie_embeddings=false",
    ),
    (
        "model",
        ("init_std",),
        lambda run, ways: (
            run.model.has_attention or not run.model.tie_embeddings or run.model.head_transform
        ),  # the alignment of an LSTM with attention has matrices of its own
        "by transformers, and with model.tie_embeddings=false",
    ),
    (
        "model",
        ("init_std", "zero_init", "chrono_max_span"),
        _starts_fresh,
        "where weights begin fresh, not as another run's",
    ),
)
_TRAINING: tuple[Rule, ...] = (
    ("training", ("muon_lr",), lambda run, ways: run.training.optimizer == "muon", "with training.optimizer=muon"),
    (
        "training",
        ("momentum",),
        lambda run, ways: run.training.optimizer != "adamw",
        "with training.optimizer=muon or sgd",
    ),
    (
        "training",
        ("beta1", "beta2"),
        lambda run, ways: run.training.optimizer != "sgd",
        "with training.optimizer=adamw or muon",
    ),
    (
        "training",
        ("constant_fraction", "final_lr_fraction"),
        lambda run, ways: run.training.schedule != "constant",
        "with training.schedule=cosine or linear",
    ),
    (
        "training",
        ("mask_rate",),
        lambda run, ways: run.training.objective == "mlm" and not _labels(run),
        "where hidden words are filled in (mlm)",
    ),
    (
        "training",
        ("loss_on",),
        lambda run, ways: run.training.objective == "clm" and not _labels(run),
        "where the next token is predicted (clm)",
    ),
    (
        "training",
        ("loss_on",),
        lambda run, ways: run.training.objective != "clm" or _labels(run) or run.data.gives_pairs,
        "where the text has questions with answers",
    ),
    (
        "training",
        ("sample_prompt", "sample_max_new_tokens"),
        lambda run, ways: run.training.objective == "clm" and not _labels(run) and run.training.sample_every > 0,
        "where the next token is predicted (clm) and samples are written",
    ),
)
_TEXT: tuple[Rule, ...] = (
    (
        "data",
        ("text_column", "source_column", "target_column"),
        lambda run, ways: run.data.corpus not in CORPORA,
        "where the text is a table or a dataset from elsewhere",
    ),
    ("data", ("encoding",), lambda run, ways: run.data.corpus == "file", "where the text is a file"),
    (
        "labelled",
        ("text_column", "label_column", "encoding"),
        lambda run, ways: _reads_labelled_file(run),
        "where the text is a file",
    ),
)
_TUNING: tuple[Rule, ...] = (
    ("finetune", ("rank", "alpha", "target_modules"), lambda run, ways: "lora" in ways, "by the method lora"),
    ("finetune", ("last_layers",), lambda run, ways: "last" in ways, "by the method last"),
    ("finetune", ("layer_decay",), lambda run, ways: set(ways) != {"head"}, "by the methods all, last and lora"),
    (
        "finetune",
        ("pooling",),
        lambda run, ways: run.finetune is not None and run.finetune.task == "classify",
        "by the task classify",
    ),
    ("finetune", ("class_weights", "head_dropout"), lambda run, ways: _labels(run), "by the tasks classify and tag"),
)


def unused_settings(config: RunConfig, other_methods: Collection[str] = ()) -> dict[str, str]:
    """Names such as "training.muon_lr" that change nothing of this run, and where they are read, in words.

    Args:
        methods: other methods, or "scratch", that are trained beside it with the same settings.
    """
    ways, found = set(other_methods), {}
    rules = _MODEL + _TRAINING + _TEXT
    if config.finetune:
        ways.add(config.finetune.method)
        rules += _TUNING
    for group, names, is_read, where in rules:
        if (group != "labelled" or _labels(config)) and not is_read(config, ways):
            found |= {f"{group}.{name}": where for name in names}
    return found
