"""BERT and its kin from other people's files: the same numbers as by hand, the same tokens, and reasons for what is refused.

`by_hand` computes what transformers' classes do, from the file's own tensors; it knows nothing of our models.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import BertWordPieceTokenizer

from playground.core.errors import PlaygroundError
from playground.huggingface.import_run import import_folder, import_zip
from playground.runs.store import RunStore
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model

V, D, N, HIDDEN, LAYERS, ROWS = 60, 24, 4, 40, 2, 16
BODY = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
DISTILLED = (
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
)
LAYER = {"bert": BODY, "roberta": BODY, "electra": BODY, "distilbert": DISTILLED}
HEAD = {
    "bert": ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"),
    "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
    "roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    "electra": ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),
}
DECODER = {
    "bert": "cls.predictions.decoder",
    "distilbert": "vocab_projector",
    "roberta": "lm_head.decoder",
    "electra": "generator_lm_head",
}
BRAND = {"bert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta", "electra": "Electra"}
BENDS = {
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "gelu_new": lambda x: 0.5 * x * (1 + torch.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "relu": lambda x: x.clamp(min=0),
}
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "##s",
    "caf",
    "##e",
    "##é",
    "café",
    "Cat",
    "Café",
    "汉",
    "字",
    "汉字",
    ",",
    "!",
    "'",
    ".",
    "un",
    "##known",
    "na",
    "##ive",
    "naive",
    "##ï",
    "##ve",
]


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "home" / "runs")


def layer(family: str, i: int) -> str:
    return f"{'transformer.layer' if family == 'distilbert' else 'encoder.layer'}.{i}."


def tensors(family: str, head: bool = True) -> dict[str, torch.Tensor]:
    """Random ones, by the names of transformers without the prefix of the body."""
    chance = torch.Generator().manual_seed(3)
    some = lambda *shape: 0.3 * torch.randn(*shape, generator=chance)
    made = {"embeddings.word_embeddings.weight": some(V, D), "embeddings.position_embeddings.weight": some(ROWS, D)}
    if family != "distilbert":
        made["embeddings.token_type_embeddings.weight"] = some(1 if family == "roberta" else 2, D)
    sizes = [("embeddings.LayerNorm", D, 0)]
    for i in range(LAYERS):
        rows = (D, D, D, D, 0, HIDDEN, D, 0)
        columns = (D, D, D, D, 0, D, HIDDEN, 0)
        for name, out, into in zip(LAYER[family], rows, columns, strict=True):
            sizes.append((layer(family, i) + name, out or D, into))
    if head:
        dense, norm, bias = HEAD[family]
        sizes += [(dense, D, D), (norm, D, 0)]
        made[bias] = some(V)
    for name, out, into in sizes:
        made |= {f"{name}.weight": some(out, into) if into else 1 + some(out), f"{name}.bias": some(out)}
    return made


def by_hand(family: str, w: dict, ids: torch.Tensor, bend: str = "gelu", eps: float = 1e-12) -> tuple:
    """The last vectors ``[batch, length, D]`` and, where there is a head, logits ``[batch, length, V]``."""
    linear = lambda x, name: x @ w[f"{name}.weight"].T + w[f"{name}.bias"]
    norm = lambda x, name: F.layer_norm(x, (D,), w[f"{name}.weight"], w[f"{name}.bias"], eps)
    places = torch.arange(ids.shape[1]) + (2 if family == "roberta" else 0)
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][places]
    if family != "distilbert":
        x = x + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    split = lambda y: y.unflatten(-1, (N, D // N)).transpose(1, 2)
    for i in range(LAYERS):
        q, k, v, out, after, up, down, last = (layer(family, i) + name for name in LAYER[family])
        scores = split(linear(x, q)) @ split(linear(x, k)).transpose(2, 3) / (D // N) ** 0.5
        x = norm(x + linear((scores.softmax(-1) @ split(linear(x, v))).transpose(1, 2).flatten(2), out), after)
        x = norm(x + linear(BENDS[bend](linear(x, up)), down), last)
    dense, after, bias = HEAD[family]
    if bias not in w:
        return x, None
    asked = norm(BENDS[bend if family in ("bert", "distilbert") else "gelu"](linear(x, dense)), after)
    return x, asked @ w.get(f"{DECODER[family]}.weight", w["embeddings.word_embeddings.weight"]).T + w[bias]


def config(family: str, kind: str = "ForMaskedLM", **more) -> dict:
    said = {
        "model_type": family,
        "architectures": [BRAND[family] + kind],
        "vocab_size": V,
        "max_position_embeddings": ROWS,
    }
    if family == "distilbert":
        said |= {"dim": D, "n_layers": LAYERS, "n_heads": N, "hidden_dim": HIDDEN}
    else:
        said |= {"hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": N, "intermediate_size": HIDDEN}
    if family == "electra":
        said["embedding_size"] = D
    return {name: value for name, value in (said | more).items() if value is not None}


def write(folder: Path, family: str, weights: dict, prefix: bool = True, **more) -> None:
    folder.mkdir(parents=True)
    outside = ("cls.", "vocab_", "lm_head.", "generator_", "classifier.", "pre_classifier.", "qa_", "discriminator_")
    name = lambda each: each if each.startswith(outside) or not prefix else f"{family}.{each}"
    save_file({name(each): value.clone() for each, value in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config(family, **more)))
    if family == "roberta":
        write_letters(folder)
    else:
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")


def write_letters(folder: Path) -> dict[str, int]:
    """A byte-level vocabulary: <s> <pad> </s> <unk>, single letters, "Ġ" for a space, three merges, <mask>."""
    names = ["<s>", "<pad>", "</s>", "<unk>", *"abcdehnost", "Ġ", "he", "the", "Ġthe", "# #", "<mask>"]
    letters = {name: i for i, name in enumerate(names)}
    letters["#"] = len(letters)
    letters["##"] = letters.pop("# #")
    (folder / "vocab.json").write_text(json.dumps(letters))
    (folder / "merges.txt").write_text("#version: 0.2\nh e\nt he\nĠ the\n# #\n", encoding="utf-8")
    return letters


IDS = torch.randint(5, 20, (2, 9), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def read(run) -> tuple[torch.Tensor, torch.Tensor]:
    out = load_model(run)(IDS)
    return out.hidden, out.logits


# The same numbers


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
def test_each_kind_computes_what_it_did(family, prefix, tmp_path, store):
    w = tensors(family)
    write(tmp_path / "x", family, w, prefix)
    run = import_folder(tmp_path / "x", store)
    hidden, logits = by_hand(family, w, IDS)
    found = read(run)
    torch.testing.assert_close(found[0], hidden, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found[1], logits, atol=1e-4, rtol=1e-4)
    assert run.config().model.context_length == (ROWS - 2 if family == "roberta" else ROWS)
    assert run.about()["notes"] == [] and run.about()["source"] == f"{BRAND[family]}ForMaskedLM"


@pytest.mark.parametrize("bend", ["gelu_new", "relu"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
def test_it_bends_as_its_config_says_also_in_the_head(family, bend, tmp_path, store):
    w = tensors(family)
    write(tmp_path / "x", family, w, **{"activation" if family == "distilbert" else "hidden_act": bend})
    found = read(import_folder(tmp_path / "x", store))[1]
    torch.testing.assert_close(found, by_hand(family, w, IDS, bend)[1], atol=1e-4, rtol=1e-4)
    assert (found - by_hand(family, w, IDS)[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("family", "kind", "left"),
    [
        ("bert", "Model", ()),
        ("bert", "ForSequenceClassification", ("classifier",)),
        ("distilbert", "ForSequenceClassification", ("pre_classifier", "classifier")),
        ("roberta", "ForQuestionAnswering", ("qa_outputs",)),
        ("electra", "ForPreTraining", ("discriminator_predictions.dense",)),
    ],
)
def test_a_body_without_the_head_that_fills_in_words(family, kind, left, tmp_path, store):
    w = tensors(family, head=False)
    more = {
        f"{name}.{part}": torch.ones(3, D)[: 3 if part == "weight" else 1]
        for name in left
        for part in ("weight", "bias")
    }
    write(tmp_path / "x", family, w | more, kind=kind)
    run = import_folder(tmp_path / "x", store)
    hidden, logits = read(run)
    torch.testing.assert_close(hidden, by_hand(family, w, IDS)[0], atol=1e-5, rtol=1e-4)
    *others, new = run.about()["notes"]
    assert logits.isfinite().all() and "knows nothing before it is trained" in new
    assert all(name.split(".")[0] in others[0] for name in left) and len(others) == bool(left)


def test_a_class_that_fills_in_words_misses_its_head(tmp_path, store):
    write(tmp_path / "x", "roberta", tensors("roberta", head=False))
    refused(tmp_path / "x", store, "no lm_head.bias")


def test_a_head_is_read_also_where_the_class_does_not_ask_it(tmp_path, store):
    w = tensors("bert") | {"pooler.dense.weight": torch.ones(D, D), "pooler.dense.bias": torch.ones(D)}
    write(tmp_path / "x", "bert", w, kind="Model")
    torch.testing.assert_close(
        read(import_folder(tmp_path / "x", store))[1], by_hand("bert", w, IDS)[1], atol=1e-4, rtol=1e-4
    )


def test_a_head_of_its_own_and_either_name_of_its_bias(tmp_path, store):
    w = tensors("bert")
    apart = torch.randn(V, D, generator=torch.Generator().manual_seed(5))
    decoder, bias = "cls.predictions.decoder", "cls.predictions.bias"
    write(tmp_path / "tied", "bert", {f"{decoder}.bias" if name == bias else name: value for name, value in w.items()})
    torch.testing.assert_close(
        read(import_folder(tmp_path / "tied", store))[1], by_hand("bert", w, IDS)[1], atol=1e-4, rtol=1e-4
    )
    both = w | {f"{decoder}.weight": apart, f"{decoder}.bias": w[bias], bias: torch.zeros(V)}
    write(tmp_path / "untied", "bert", both, tie_word_embeddings=False)
    expected = by_hand("bert", w | {f"{decoder}.weight": apart}, IDS)[1]
    torch.testing.assert_close(read(import_folder(tmp_path / "untied", store))[1], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_in_parts_in_a_zip_with_what_a_mac_adds(half, tmp_path, store):
    w = {name: value.to(half) for name, value in tensors("distilbert").items()}
    write(tmp_path / "x", "distilbert", w)
    kept = load_file(tmp_path / "x" / "model.safetensors")
    (tmp_path / "x" / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(sorted(kept))}
    for file in set(places.values()):
        save_file({name: value for name, value in kept.items() if places[name] == file}, tmp_path / "x" / file)
    (tmp_path / "x" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for path in (tmp_path / "x").iterdir():
            file.write(path, f"my model/{path.name}")
            file.writestr(f"__MACOSX/my model/._{path.name}", b"\0\5\x16\7")
    made.seek(0)
    expected = by_hand("distilbert", {name: value.float() for name, value in w.items()}, IDS)[1]
    torch.testing.assert_close(read(import_zip(made, store))[1], expected, atol=1e-4, rtol=1e-4)


def test_the_oldest_configs_name_no_class_and_no_bend(tmp_path, store):
    w = tensors("bert")
    for i, more in enumerate(
        ({"architectures": None}, {"architectures": None, "model_type": None, "type_vocab_size": 2})
    ):
        write(tmp_path / f"{i}", "bert", w, **more)
        (tmp_path / f"{i}" / "model.safetensors").rename(tmp_path / f"{i}" / "model.fp32.safetensors")
        found = read(import_folder(tmp_path / f"{i}", store))[1]
        torch.testing.assert_close(found, by_hand("bert", w, IDS)[1], atol=1e-4, rtol=1e-4)


# What is refused


def refused(folder: Path, store: RunStore, said: str) -> None:
    with pytest.raises(PlaygroundError) as caught:
        import_folder(folder, store)
    assert said in caught.value.message and caught.value.hint
    assert not list(store.root.iterdir()), "nothing is left of it"


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        ("electra", {"embedding_size": 8}, "have 8 channels and its layers 24"),
        ("electra", {"embedding_size": None}, "have 128 channels"),
        ("roberta", {"position_embedding_type": "relative_key_query"}, "relative_key_query"),
        ("bert", {"is_decoder": True}, "is_decoder"),
        ("bert", {"hidden_act": "silu"}, "silu"),
        ("roberta", {"pad_token_id": -1}, "-1 for pad_token_id"),
        ("roberta", {"pad_token_id": 40}, "has none for a text"),
        ("roberta", {"max_position_embeddings": 40}, "The weights have 14 positions"),
        ("bert", {"kind": "LMHeadModel"}, "BertLMHeadModel cannot be read"),
        ("bert", {"model_type": "albert", "architectures": None}, "albert cannot be read"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(family, more, said, tmp_path, store):
    write(tmp_path / "x", family, tensors(family), **more)
    refused(tmp_path / "x", store, said)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"])
def test_weights_in_other_formats_are_not_opened(name, tmp_path, store):
    write(tmp_path / "x", "bert", tensors("bert"))
    (tmp_path / "x" / "model.safetensors").rename(tmp_path / "x" / name)
    refused(tmp_path / "x", store, f"The weights are in {name}, and only safetensors are read")


# The same tokens

TEXTS = ("The cats sat on the mat!", "Café, CAFÉ 汉字 it's naïve", "unknown unknow\u200bn\tcat\u0000s", "ÉÀ ｃａｔ  \n")


def tokens(folder: Path, store: RunStore) -> Tokenizer:
    return Tokenizer.load(import_folder(folder, store).tokenizer_path)


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ({}, {}),
        ({"do_lower_case": True, "strip_accents": None}, {}),
        ({"do_lower_case": False}, {"lowercase": False}),
        ({"do_lower_case": False, "strip_accents": True}, {"lowercase": False, "strip_accents": True}),
        ({"strip_accents": False}, {"strip_accents": False}),
        ({"tokenize_chinese_chars": False}, {"handle_chinese_chars": False}),
        ({"tokenizer_class": "DistilBertTokenizerFast"}, {}),
    ],
)
def test_a_vocabulary_alone_gives_the_tokens_of_a_bert(said, same, tmp_path, store):
    write(tmp_path / "x", "bert", tensors("bert"))
    if said:
        (tmp_path / "x" / "tokenizer_config.json").write_text(json.dumps(said))
    truth = BertWordPieceTokenizer(str(tmp_path / "x" / "vocab.txt"), **{"lowercase": True, **same})
    found = tokens(tmp_path / "x", store)
    for text in TEXTS:
        assert found.with_special_tokens(found.encode(text)) == truth.encode(text).ids
    assert found.frame == ((2,), (3,)) and (found.pad_id, found.mask_id) == (0, 4)
    assert found.pieces(found.encode("cat [MASK]", specials=True)) == [" cat", "[MASK]"]


@pytest.mark.parametrize(
    ("said", "lower"),
    [
        ({"do_lower_case": True}, True),
        ({"tokenizer_class": "BertTokenizer", "do_lower_case": True}, True),
        ({}, False),
        ({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": True}, False),
    ],
)
def test_what_the_config_says_of_capitals_counts_as_in_transformers(said, lower, tmp_path, store):
    write(tmp_path / "x", "bert", tensors("bert"))
    vocabulary = str(tmp_path / "x" / "vocab.txt")
    BertWordPieceTokenizer(vocabulary, lowercase=False).save(str(tmp_path / "x" / "tokenizer.json"))
    (tmp_path / "x" / "tokenizer_config.json").write_text(json.dumps(said))
    truth, found = BertWordPieceTokenizer(vocabulary, lowercase=lower), tokens(tmp_path / "x", store)
    assert all(found.encode(text) == truth.encode(text, add_special_tokens=False).ids for text in TEXTS)


def test_ids_by_hand(tmp_path, store):
    write(tmp_path / "x", "bert", tensors("bert"))
    at = VOCABULARY.index
    expected = [at("the"), at("cat"), at("##s"), at(","), at("caf"), at("##e"), at("汉"), at("字"), at("[UNK]")]
    assert tokens(tmp_path / "x", store).encode("The Cats, Café汉字 dog") == expected
    (tmp_path / "x" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    expected = [at("[UNK]"), at("Cat"), at("##s"), at("café"), at("Café"), at("汉"), at("字")]
    assert tokens(tmp_path / "x", store).encode("The Cats café Café 汉字") == expected


def test_special_tokens_by_other_names_line_ends_and_added_tokens(tmp_path, store):
    write(tmp_path / "x", "bert", tensors("bert"))
    names = ["<nil>", "<what>", "<from>", "<to>", "<hide>", *VOCABULARY[5:]]
    (tmp_path / "x" / "vocab.txt").write_bytes("\r\n".join(names).encode("utf-8-sig"))
    roles = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), names, strict=False))
    (tmp_path / "x" / "special_tokens_map.json").write_text(json.dumps(roles | {"mask_token": {"content": "<hide>"}}))
    (tmp_path / "x" / "added_tokens.json").write_text(json.dumps({"[city]": len(names)}))
    found = tokens(tmp_path / "x", store)
    assert found.frame == ((2,), (3,)) and (found.pad_id, found.mask_id) == (0, 4)
    assert found.encode("cat dog") == [names.index("cat"), 1]
    assert found.encode("the <mask> <hide>", specials=True) == [5, 4, 4]
    assert len(names) in found.encode("the [city]", specials=True)
    (tmp_path / "x" / "added_tokens.json").unlink()
    roles |= {"mask_token": "<hide>", "additional_special_tokens": "[town]"}  # one name, not a list
    (tmp_path / "x" / "special_tokens_map.json").write_text(json.dumps(roles))
    assert tokens(tmp_path / "x", store).encode("the [town]", specials=True) == [5, len(names)]


def test_the_parts_of_a_roberta_or_gpt2_are_put_together(tmp_path, store):
    write(tmp_path / "x", "roberta", tensors("roberta"))
    at = write_letters(tmp_path / "x")
    found = tokens(tmp_path / "x", store)
    assert found.encode("the the ##") == [at["the"], at["Ġthe"], at["Ġ"], at["##"]]
    assert found.with_special_tokens(found.encode("hat")) == [0, at["h"], at["a"], at["t"], 2]
    assert (found.pad_id, found.bos_id, found.eos_id, found.mask_id) == (1, 0, 2, at["<mask>"])
    assert found.encode("the <mask> the", specials=True) == [at["the"], at["<mask>"], at["Ġthe"]], (
        "it takes the space before it"
    )
    (tmp_path / "x" / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": True}))
    assert tokens(tmp_path / "x", store).encode("the") == [at["Ġthe"]]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"vocab.txt": None}, "neither tokenizer.json nor vocab.txt"),
        ({"vocab.txt": b"a\nb\n"}, "no [UNK]"),
        ({"vocab.txt": b"\xff\xfe\n"}, "cannot be read from vocab.txt"),
        ({"vocab.txt": "\n".join(["[UNK]", *map(str, range(99))]).encode()}, "more than the 60"),
        (
            {"tokenizer_config.json": b'{"tokenizer_class": "BertJapaneseTokenizer"}'},
            "BertJapaneseTokenizer cannot be made here",
        ),
        ({"tokenizer_config.json": b'{"do_basic_tokenize": false}'}, "do_basic_tokenize"),
        ({"tokenizer_config.json": b'{"do_lower_case": "no"}'}, "'no' for do_lower_case"),
        ({"added_tokens.json": b'{"x": 99}'}, "to have the number 99"),
        ({"added_tokens.json": b'["x"]'}, "cannot be read from vocab.txt"),
        ({"tokenizer_config.json": b'{"tokenizer_class": "RobertaTokenizer"}'}, "nor vocab.json"),
        ({"tokenizer_config.json": b'{"tokenizer_class": ["BertTokenizer"]}'}, "cannot be made here"),
        ({"tokenizer_config.json": b'{"cls_token": {"id": 1}}'}, "cannot be read from vocab.txt"),
    ],
)
def test_parts_that_do_not_make_a_tokenizer_are_told(files, said, tmp_path, store):
    write(tmp_path / "x", "bert", tensors("bert"))
    for name, content in files.items():
        if content is None:
            (tmp_path / "x" / name).unlink()
        else:
            (tmp_path / "x" / name).write_bytes(content)
    refused(tmp_path / "x", store, said)


def test_a_roberta_whose_tokenizer_file_tells_no_frame_has_the_one_of_its_class(tmp_path, store):
    write(tmp_path / "x", "roberta", tensors("roberta"))
    kept = tokens(tmp_path / "x", store)
    state = json.loads(kept._inner.to_str()) | {"post_processor": None}
    (tmp_path / "x" / "tokenizer.json").write_text(json.dumps(state))
    assert tokens(tmp_path / "x", store).frame == ((0,), (2,))
