"""A Hugging Face folder becomes a run with the same logits and the same tokens; what cannot be is refused in a sentence."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer as Inner
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from models.factory import build
from models.presets import PRESETS
from playground.cli.main import main
from playground.core.errors import PlaygroundError, UserError
from playground.generation.fill_mask import fill
from playground.generation.torch_model import TorchEncoder
from playground.huggingface import export_run
from playground.huggingface.import_run import import_folder, import_zip
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import export
from playground.runs import gallery
from playground.runs.store import RunStore
from playground.text.prepare import prepare
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model

SMALL = {"vocab_size": 300, "d_model": 48, "n_layers": 2, "n_heads": 4, "context_length": 24}
TEXT = "the cat sat on the mat, it's a naïve 汉字 cat.\n  two"


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "home" / "runs")


def byte_level(size: int = 300) -> Inner:
    inner = Inner(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    inner.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<|endoftext|>"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator([TEXT] * 5, trainer)
    return inner


def wordpiece() -> Inner:
    inner = Inner(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=48, special_tokens=names, show_progress=False)
    inner.train_from_iterator([TEXT] * 5, trainer)
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inner.enable_truncation(5)
    return inner


def sentencepiece() -> Inner:
    inner = Inner(models.BPE(byte_fallback=True, unk_token="<unk>"))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    inner.train_from_iterator(
        [TEXT] * 5, trainers.BpeTrainer(vocab_size=299, special_tokens=names, show_progress=False)
    )
    state = json.loads(inner.to_str())
    return Inner.from_str(json.dumps(state | {"added_tokens": state["added_tokens"][:3]}))


def shaken(family: str):
    """A random model of a family, with norms and biases that matter."""
    torch.manual_seed(4)
    model = build(PRESETS[f"{family}-tiny"].spec.replace(**SMALL)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def write(folder: Path, family: str, inner: Inner | None = None) -> torch.nn.Module:
    """A model of ours as its export writes it for transformers."""
    folder.mkdir(parents=True)
    model = shaken(family)
    named = export_run.renamed(model.spec, state_of(model), family)
    save_file(
        {name: torch.tensor(np.ascontiguousarray(value)) for name, value in named.items()}, folder / "model.safetensors"
    )
    config = export_run.config(model.spec, family, (0, 0, 0, 0))
    (folder / "config.json").write_text(json.dumps(config))
    change(folder, pad_token_id=None, bos_token_id=None, eos_token_id=None)
    (inner or (wordpiece() if family == "bert" else byte_level())).save(str(folder / "tokenizer.json"))
    return model


def change(folder: Path, **changes) -> None:
    """Other settings in config.json; None takes one away."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(
        json.dumps({name: value for name, value in config.items() if value is not None})
    )


def reweigh(folder: Path, to) -> None:
    """Other weights: ``to`` makes new ones of the old."""
    save_file(to(load_file(folder / "model.safetensors")), folder / "model.safetensors")


@torch.no_grad()
def logits(model, length: int = 20) -> np.ndarray:
    ids = torch.randint(0, model.spec.vocab_size, (2, length), generator=torch.Generator().manual_seed(2))
    return model(ids).logits.numpy()


def same(model, other, length: int = 20) -> bool:
    return np.allclose(logits(model, length), logits(other, length), atol=1e-5)


# The same model


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_what_we_export_comes_back(family, tmp_path, store):
    model = write(tmp_path / family, family)
    run = import_folder(tmp_path / family, store)
    assert same(load_model(run), model)
    spelt_out = {"d_mlp": model.spec.mlp_width, "n_kv_heads": run.config().model.n_kv_heads, "init_std": None}
    assert run.config().model == model.spec.replace(**spelt_out)
    assert (run.name, run.status().state, run.checkpoints(), run.metrics()[0]) == (family, "finished", [0], [])
    assert run.config().training.objective == ("mlm" if family == "bert" else "clm")
    assert store.get(family).id == run.id


def test_a_shipped_run_comes_back_from_its_weights_and_tokenizer(tmp_path, store):
    shipped = gallery.get("bible-encoder")
    model, tokenizer = load_model(shipped), Tokenizer.load(shipped.tokenizer_path)
    folder = tmp_path / "encoder"
    folder.mkdir()
    family = export_run.family_of(model.spec)
    named = export_run.renamed(model.spec, state_of(model), family) if family else state_of(model)
    ids = (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id)
    config = (
        export_run.config(model.spec, family, ids)
        if family
        else {"model_type": "lm-playground", **model.spec.to_dict()}
    )
    save_file(
        {name: torch.tensor(np.ascontiguousarray(value)) for name, value in named.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(folder / "tokenizer.json")
    run = import_folder(folder, store)
    assert same(load_model(run), model)
    assert Tokenizer.load(run.tokenizer_path).fingerprint == tokenizer.fingerprint


def test_a_mix_of_ones_own_comes_back(tmp_path, store):
    shipped = gallery.get("bible-decoder")
    model = load_model(shipped)
    folder = tmp_path / "own"
    folder.mkdir()
    named = state_of(model).items()
    save_file({name: torch.tensor(np.ascontiguousarray(value)) for name, value in named}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "lm-playground", **model.spec.to_dict()}))
    (folder / "tokenizer.json").write_bytes(shipped.tokenizer_path.read_bytes())
    assert same(load_model(import_folder(folder, store)), model)


def test_with_and_without_prefixes_and_with_what_is_left_over(tmp_path, store):
    """As openai-community/gpt2 and google-bert/bert-base-uncased are stored."""
    model = write(tmp_path / "gpt2", "gpt2")
    masks = {f"h.{i}.attn.bias": torch.ones(1, 1, 24, 24) for i in range(2)}
    reweigh(
        tmp_path / "gpt2", lambda w: {name.removeprefix("transformer."): value for name, value in w.items()} | masks
    )
    assert same(load_model(import_folder(tmp_path / "gpt2", store)), model)
    model = write(tmp_path / "bert", "bert")
    old = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    more = {"bert.pooler.dense.weight": torch.ones(48, 48), "bert.pooler.dense.bias": torch.ones(48)}
    more |= {"cls.seq_relationship.weight": torch.ones(2, 48), "bert.embeddings.position_ids": torch.arange(24)[None]}
    reweigh(tmp_path / "bert", lambda w: {old(name): value for name, value in w.items()} | more)
    assert same(load_model(import_folder(tmp_path / "bert", store)), model)


def test_token_types_count(tmp_path, store):
    """BERT adds the vector of type 0 to every token: so does moving it into the token table by hand."""
    write(tmp_path / "bert", "bert")
    kind = "bert.embeddings.token_type_embeddings.weight"
    vectors = torch.randn(2, 48, generator=torch.Generator().manual_seed(1))
    reweigh(tmp_path / "bert", lambda w: w | {kind: vectors})
    change(tmp_path / "bert", tie_word_embeddings=False)
    head = "cls.predictions.decoder.weight"
    reweigh(tmp_path / "bert", lambda w: w | {head: w["bert.embeddings.word_embeddings.weight"].clone()})
    found = load_model(import_folder(tmp_path / "bert", store))
    by_hand = shaken("bert").spec.replace(tie_embeddings=False)
    other = build(by_hand).eval()
    state = shaken("bert").state_dict()
    state["head.weight"] = state["embedding.tokens.weight"].clone()
    state["embedding.tokens.weight"] = state["embedding.tokens.weight"] + vectors[0]
    other.load_state_dict(state)
    assert same(found, other) and not same(found, shaken("bert"))


def test_gpt2_bends_as_its_config_says(tmp_path, store):
    model = write(tmp_path / "gpt2", "gpt2")
    change(tmp_path / "gpt2", activation_function="gelu_new")
    found = load_model(import_folder(tmp_path / "gpt2", store))
    bent = build(model.spec.replace(mlp="gelu_tanh")).eval()
    bent.load_state_dict(model.state_dict())
    assert np.abs(logits(found) - logits(bent)).max() < 1e-5 < np.abs(logits(found) - logits(model)).max()


def test_attention_biases_of_a_llama_are_read_and_the_others_are_zero(tmp_path, store):
    model = write(tmp_path / "llama", "llama")
    change(tmp_path / "llama", architectures=["Qwen2ForCausalLM"])
    biases = {}
    for i in range(2):
        for name in "qkv":
            generator = torch.Generator().manual_seed(i)
            biases[f"model.layers.{i}.self_attn.{name}_proj.bias"] = torch.randn(48, generator=generator)
    reweigh(tmp_path / "llama", lambda w: w | biases)
    found = load_model(import_folder(tmp_path / "llama", store))
    by_hand = build(model.spec.replace(bias=True)).eval()
    state = by_hand.state_dict() | model.state_dict()
    state = {name: torch.zeros_like(value) if name.endswith(".bias") else value for name, value in state.items()}
    for i in range(2):
        state[f"layers.{i}.attention.qkv.bias"] = torch.cat(
            [biases[f"model.layers.{i}.self_attn.{name}_proj.bias"] for name in "qkv"]
        )
    by_hand.load_state_dict(state)
    assert same(found, by_hand) and not same(found, model)


def test_weights_in_parts_and_in_half_precision(tmp_path, store):
    model = write(tmp_path / "llama", "llama")
    weights = {name: value.bfloat16() for name, value in load_file(tmp_path / "llama" / "model.safetensors").items()}
    (tmp_path / "llama" / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, inside in parts.items():
        save_file({name: weights[name] for name in inside}, tmp_path / "llama" / file)
    index = {"weight_map": {name: file for file, inside in parts.items() for name in inside}}
    (tmp_path / "llama" / "model.safetensors.index.json").write_text(json.dumps(index))
    found = load_model(import_folder(tmp_path / "llama", store))
    rounded = build(model.spec).eval()
    rounded.load_state_dict({name: value.bfloat16().float() for name, value in model.state_dict().items()})
    assert same(found, rounded)
    (tmp_path / "llama" / "model-2.safetensors").unlink()
    store = RunStore(tmp_path / "empty" / "runs")
    refused(tmp_path / "llama", store, "model-2.safetensors with a part of the weights is not there")


def test_a_shorter_context_is_exact_within_it(tmp_path, store):
    for family in ("gpt2", "bert", "llama"):
        model = write(tmp_path / family, family)
        run = import_folder(tmp_path / family, store, context=8)
        assert run.config().model.context_length == 8 and "24" in run.about()["notes"][0]
        assert same(load_model(run), model, length=8)
    write(tmp_path / "long", "llama")
    change(tmp_path / "long", max_position_embeddings=131072)
    assert import_folder(tmp_path / "long", store).config().model.context_length == 2048
    change(tmp_path / "long", architectures=["MistralForCausalLM"], sliding_window=12)
    assert import_folder(tmp_path / "long", store).config().model.context_length == 12


def test_a_folder_of_the_cache_is_called_as_the_model(tmp_path, store):
    cached = tmp_path / "models--somebody--small-gpt2"
    write(cached / "snapshots" / ("0" * 40), "gpt2")
    assert import_folder(cached, store).name == "small-gpt2"
    assert import_folder(cached, store, name="mine").name == "mine"


# Its tokens


@pytest.mark.parametrize("make", [byte_level, wordpiece, sentencepiece])
def test_foreign_tokens_are_those_of_the_tokenizers_library(make, tmp_path, store):
    inner = make()
    write(tmp_path / "x", "bert" if make is wordpiece else "llama", inner)
    found = Tokenizer.load(import_folder(tmp_path / "x", store).tokenizer_path)
    inner.no_truncation()
    text = "the cat sat, on a naïve 汉字 mat.\n"
    ids = inner.encode(text, add_special_tokens=False).ids
    assert found.encode(text) == ids == found.encode_many([text])[0].tolist()
    before, after = found.frame
    assert [*before, *ids, *after] == inner.encode(text).ids
    assert found.size == 300, "as many as the model scores"
    assert set(range(inner.get_vocab_size(), 300)) <= found.special_ids
    if make is wordpiece:
        assert found.decode(ids) == "the cat sat, on a naive汉字 mat.", (
            "spaces that WordPiece forgot, where most texts have them"
        )
        assert (found.pad_id, found.bos_id, found.eos_id, found.mask_id) == (0, 2, 3, 4)
        assert found.encode("the [MASK] sat", specials=True) == found.encode("the <mask> sat", specials=True)
        assert found.pieces(found.encode("the <mask> sat", specials=True)) == [" the", "[MASK]", " sat"]
    else:
        assert found.decode(ids).removeprefix(" ") == text
        assert "".join(found.pieces(found.encode(TEXT[:20]))).strip() == TEXT[:20]
        end = inner.token_to_id("<|endoftext|>" if make is byte_level else "</s>")
        assert (found.pad_id, found.eos_id) == (end, end)
        assert end not in found.encode("<|endoftext|></s>"), "typed text never becomes a special token"
        assert found.decode([*ids, end]) == found.decode(ids)


def test_special_tokens_are_named_by_the_files_around(tmp_path, store):
    inner = byte_level(290)
    inner.add_special_tokens(["<stop>", "<fill>"])
    write(tmp_path / "x", "gpt2", inner)
    change(tmp_path / "x", eos_token_id=[inner.token_to_id("<stop>"), 0])
    found = Tokenizer.load(import_folder(tmp_path / "x", store).tokenizer_path)
    assert found.eos_id == found.pad_id == inner.token_to_id("<stop>"), "a number in config.json will do"
    names = {"eos_token": {"content": "<stop>"}, "pad_token": "<fill>", "bos_token": None}
    (tmp_path / "x" / "tokenizer_config.json").write_text(json.dumps(names))
    found = Tokenizer.load(import_folder(tmp_path / "x", store).tokenizer_path)
    stop, fill = inner.token_to_id("<stop>"), inner.token_to_id("<fill>")
    assert (found.eos_id, found.pad_id) == (stop, fill)
    found.save(tmp_path / "again.json")
    again = Tokenizer.load(tmp_path / "again.json")
    assert (again.eos_id, again.pad_id, again.size, again.fingerprint) == (stop, fill, 300, found.fingerprint)


def test_blanks_are_read_within_the_tokens_around_every_text(tmp_path, store):
    model = write(tmp_path / "bert", "bert")
    tokenizer = Tokenizer.load(import_folder(tmp_path / "bert", store).tokenizer_path)
    ids = tokenizer.encode("the [MASK] sat", specials=True)
    (blank,) = fill(TorchEncoder(model, tokenizer.pad_id), ids, (), tokenizer.mask_id, n=3, frame=tokenizer.frame)
    with torch.no_grad():
        shares = model(torch.tensor([[2, *ids, 3]])).logits[0, 2].softmax(-1)
    assert blank.place == 1 and [token for token, _ in blank.likeliest] == shares.topk(3).indices.tolist()
    assert blank.likeliest[0][1] == pytest.approx(shares.max().item(), rel=1e-4)


def test_a_context_with_no_room_within_the_frame_is_refused(tmp_path, store):
    """[CLS] and [SEP] alone fill a context of 2: every text would be cut to nothing."""
    write(tmp_path / "bert", "bert")
    with pytest.raises(PlaygroundError, match="no room") as refused:
        import_folder(tmp_path / "bert", store, context=2)
    assert refused.value.hint.startswith("Choose 3 or more")
    (note,) = import_folder(tmp_path / "bert", store, context=3).about()["notes"]
    assert note.startswith("Tokens that it reads at once here: 3 (")


def test_it_is_exported_as_what_it_was(tmp_path, store):
    write(tmp_path / "gpt2", "gpt2")
    change(tmp_path / "gpt2", activation_function="gelu_new")
    run = import_folder(tmp_path / "gpt2", store)
    made = export(run).folder
    config = json.loads((made / "config.json").read_text())
    assert (config["architectures"], config["activation_function"]) == (["GPT2LMHeadModel"], "gelu_new")
    names = json.loads((made / "tokenizer_config.json").read_text())
    assert names["eos_token"] == names["pad_token"] == "<|endoftext|>" and config["eos_token_id"] == 0
    before, after = load_file(tmp_path / "gpt2" / "model.safetensors"), load_file(made / "model.safetensors")
    assert before.keys() == after.keys() and all((before[name] == after[name]).all() for name in before)
    assert "python -m playground import FOLDER" in (made / "README.md").read_text()
    again = import_folder(made, store)
    assert same(load_model(again), load_model(run))
    assert Tokenizer.load(again.tokenizer_path).eos_id == 0


# What is refused


def refused(folder: Path, store: RunStore, said: str, **more) -> None:
    with pytest.raises(UserError) as caught:
        import_folder(folder, store, **more)
    assert said in caught.value.message and (caught.value.hint or "; try" in caught.value.message)
    assert not list(store.root.iterdir()), "nothing is left of it"


@pytest.mark.parametrize(
    ("family", "changes", "said"),
    [
        ("bert", {"architectures": ["AlbertForMaskedLM"]}, "AlbertForMaskedLM"),
        ("bert", {"architectures": [["x"]]}, "cannot be read here"),
        ("bert", {"hidden_act": "silu"}, "silu"),
        ("bert", {"position_embedding_type": "relative_key"}, "relative_key"),
        ("gpt2", {"activation_function": "mish"}, "mish"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ("gpt2", {"n_layer": "two"}, "'two' for n_layer"),
        ("gpt2", {"n_head": 5}, "do not divide into 5 heads"),
        ("gpt2", {"n_positions": 99}, "24 positions"),
        ("gpt2", {"vocab_size": 400}, "wte.weight are 300 × 48, and config.json asks for 400 × 48"),
        ("gpt2", {"vocab_size": 200}, "289 tokens, more than the 200"),
        ("gpt2", {"n_layer": 3}, "no h.2."),
        ("gpt2", {"n_layer": 1}, "h.1."),
        ("gpt2", {"quantization_config": {"bits": 4}}, "quantized"),
        ("llama", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "stretched (llama3)"),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "stretched (yarn)"),
        ("llama", {"head_dim": 16}, "16 channels"),
        ("llama", {"hidden_act": "gelu"}, "gelu"),
        ("llama", {"attention_bias": True}, "self_attn.q_proj.bias"),
        ("llama", {"num_hidden_layers": 200, "hidden_size": 8192, "num_attention_heads": 64, "head_dim": 128}, "GiB"),
        ("llama", {"model_type": "lm-playground", "id2label": {"0": "a"}}, "gives labels"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(family, changes, said, tmp_path, store):
    write(tmp_path / "x", family)
    change(tmp_path / "x", **changes)
    refused(tmp_path / "x", store, said)


def test_missing_and_damaged_files_are_said(tmp_path, store):
    folder = tmp_path / "x"
    write(folder, "gpt2")
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}

    def tried(said: str, **files: bytes | None) -> None:
        for name, content in {**whole, **{name.replace("__", "."): value for name, value in files.items()}}.items():
            (folder / name).unlink(missing_ok=True)
            if content is not None:
                (folder / name).write_bytes(content)
        refused(folder, store, said)

    tried("no config.json", config__json=None)
    tried("config.json cannot be read", config__json=b"{")
    tried("config.json cannot be read", config__json=b"[" * 100_000)
    tried("neither tokenizer.json nor vocab.json", tokenizer__json=None)
    tried("tokenizer.json cannot be read", tokenizer__json=b"{}")
    tried("no model.safetensors", model__safetensors=None)
    tried("model.safetensors cannot be read", model__safetensors=whole["model.safetensors"][:-100])
    tried("Git LFS", model__safetensors=b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "model.safetensors").write_bytes(whole["model.safetensors"])
    reweigh(folder, lambda w: w | {"transformer.ln_f.bias": torch.full((48,), torch.nan)})
    refused(folder, store, "not numbers")
    (folder / "model.safetensors").write_bytes(whole["model.safetensors"])
    reweigh(folder, lambda w: {name: value.to(torch.int8) for name, value in w.items()})
    refused(folder, store, "stored as I8")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02")
    refused(folder, store, "only safetensors are read")


def test_an_index_leads_nowhere_else(tmp_path, store):
    write(tmp_path / "x", "gpt2")
    (tmp_path / "x" / "model.safetensors").rename(tmp_path / "model.safetensors")
    index = {"weight_map": {"transformer.wte.weight": "../model.safetensors"}}
    (tmp_path / "x" / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(tmp_path / "x", store, "index.json cannot be read")


def test_tokenizers_that_do_not_fit_are_said(tmp_path, store):
    write(tmp_path / "unigram", "gpt2", Inner(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>")))
    refused(tmp_path / "unigram", store, "kind WordLevel")
    write(tmp_path / "no-mask", "bert", byte_level())
    refused(tmp_path / "no-mask", store, "no token that hides another")
    bare = Inner.from_str(json.dumps(json.loads(byte_level().to_str()) | {"added_tokens": []}))
    state = json.loads(bare.to_str())
    state["model"]["vocab"]["<other>"] = state["model"]["vocab"].pop("<|endoftext|>")
    write(tmp_path / "no-end", "gpt2", Inner.from_str(json.dumps(state)))
    refused(tmp_path / "no-end", store, "no token that ends a text")


# Zip files


def packed(folder: Path, inside: str = "model/", **more: bytes) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for path in folder.iterdir():
            file.write(path, inside + path.name)
        for name, content in more.items():
            file.writestr(name, content)
    made.seek(0)
    return made


def test_a_zip_file_of_a_folder(tmp_path, store):
    model = write(tmp_path / "x", "gpt2")
    (tmp_path / "x" / "vocab.txt").write_text("left alone")
    for inside in ("", "model/", "a/b/"):
        assert same(load_model(import_zip(packed(tmp_path / "x", inside), store)), model)
    (tmp_path / "named.zip").write_bytes(packed(tmp_path / "x").getvalue())
    assert import_folder(tmp_path / "named.zip", store).name == "named"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"../evil.safetensors": b"x"}, "the path '../evil.safetensors'"),
        ({"/etc/passwd": b"x"}, "/etc/passwd"),
        ({"model/bomb.safetensors": bytes(2**22)}, "times its size"),
        ({f"{i}.txt": b"" for i in range(2100)}, "files"),
    ],
)
def test_zip_files_that_are_not_to_be_trusted(more, said, tmp_path, store):
    write(tmp_path / "x", "gpt2")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for path in (tmp_path / "x").iterdir():
            file.write(path, f"model/{path.name}")
        for name, content in more.items():
            file.writestr(name, content)
    with pytest.raises(PlaygroundError) as caught:
        import_zip(made, store)
    assert said in caught.value.message and caught.value.hint
    assert not list(store.root.iterdir()) and not (tmp_path / "evil.safetensors").exists()


def test_links_broken_files_and_too_much_are_refused(tmp_path, store):
    write(tmp_path / "x", "gpt2")
    link = zipfile.ZipInfo("model/linked.safetensors")
    link.external_attr = 0o120777 << 16
    made = packed(tmp_path / "x")
    with zipfile.ZipFile(made, "a") as file:
        file.writestr(link, "/etc/passwd")
    for source, said in (
        (made, "is a link"),
        (io.BytesIO(b"PK"), "not a whole zip file"),
        (tmp_path / "none.zip", "no file"),
        (io.BytesIO(packed(tmp_path / "x").getvalue()[:-50]), "not a whole zip"),
    ):
        with pytest.raises(PlaygroundError) as caught:
            import_zip(source, store)
        assert said in caught.value.message
    with pytest.raises(PlaygroundError, match="unpacks to"):
        import_zip(packed(tmp_path / "x"), store, limit=1000)
    (tmp_path / "x" / "model.safetensors").rename(tmp_path / "x" / "pytorch_model.bin")
    with pytest.raises(PlaygroundError, match="only safetensors"):
        import_zip(packed(tmp_path / "x"), store)
    assert not list(store.root.iterdir())


def test_a_packed_run_is_unpacked_as_such(tmp_path, store):
    write(tmp_path / "x", "gpt2")
    run = import_folder(tmp_path / "x", store)
    path = store.export_zip(run.id, tmp_path / "run.zip")
    for source in (path, io.BytesIO(path.read_bytes())):
        again = import_zip(source, store)
        assert again.id != run.id and same(load_model(again), load_model(run))
    with pytest.raises(PlaygroundError, match="is a run of LM Playground"):
        import_folder(run.path, store)


# Going on from it


def test_it_is_fine_tuned_and_its_own_text_is_not_known(tmp_path):
    from playground.finetune.plan import plan
    from playground.runs.finetuning import FineTuneSpec, LabelledSpec
    from playground.training.worker import run as train

    write(tmp_path / "bert", "bert")
    rows = "".join(f"{'the cat sat' if i % 2 else 'two mat on'} {i}\t{i % 2}\n" for i in range(60))
    (tmp_path / "rows.tsv").write_text("text\tlabel\n" + rows)
    store = RunStore()
    parent = import_folder(tmp_path / "bert", store)
    with pytest.raises(PlaygroundError, match="not known here"):
        prepare(parent.config().data)
    tuned = FineTuneSpec("classify", LabelledSpec("file", path=str(tmp_path / "rows.tsv")))
    config = plan(parent, tuned, steps=4, batch_size=8, device="cpu", threads=1)
    folder = store.create(config)
    assert train(folder) == "finished", folder.status().message
    report = json.loads((folder.path / "results" / "report.json").read_text())
    assert report["test"]["n"] > 0 and "not known here" in report["forgetting"]["missing"]


def test_the_command_says_what_it_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    write(tmp_path / "small-bert", "bert")
    assert main(["import", str(tmp_path / "small-bert"), "--name", "mine"]) == 0
    said = capsys.readouterr().out
    parameters = sum(p.numel() for p in shaken("bert").parameters())
    assert (
        "BertForMaskedLM" in said and f"{parameters:,} parameters" in said and "tokens of the vocabulary: 300" in said
    )
    assert RunStore().get("mine").checkpoints() == [0]
    assert main(["import", str(tmp_path)]) == 2
    assert "no config.json" in capsys.readouterr().err


# [CLS] … [SEP] around every text, as where it came from


class Heard:
    """Ids that a model is shown, noted on the way."""

    def __init__(self, model) -> None:
        self.rows: list[list[int]] = []
        hear = lambda _, given, more: self.rows.extend((given or [more["input_ids"]])[0].tolist())
        model.register_forward_pre_hook(hear, with_kwargs=True)

    def all_framed(self, most: int) -> bool:
        """Whether each row, without what fills it up, is [CLS] … [SEP] with none of these between, and not too long."""
        bare = [[token for token in row if token] for row in self.rows]
        return bool(bare) and all(
            row[0] == 2 and row[-1] == 3 and 2 not in row[1:] and len(row) <= most for row in bare
        )


def test_continued_training_and_validation_read_framed_rows(tmp_path):
    from playground.runs.config import RunConfig, TrainingSpec
    from playground.text.spec import DataSpec
    from playground.training.batches import Sampler
    from playground.training.objectives import Objective

    write(tmp_path / "bert", "bert")
    parent = import_folder(tmp_path / "bert", RunStore())
    tokenizer, spec = Tokenizer.load(parent.tokenizer_path), parent.config().model
    (tmp_path / "text.txt").write_text("the cat sat on the mat, two cats.\n" * 400)
    data = DataSpec("file", path=str(tmp_path / "text.txt"))
    prepared = prepare(data, tokenizer=tokenizer)
    config = RunConfig("x", spec, data, TrainingSpec(objective="mlm", steps=1))
    sampler, objective = Sampler(prepared, spec.context_length, 0), Objective(config, prepared)
    for rows in (sampler.train(0, 8), sampler.validation_rows(sampler.validation(1, 8)[0])):
        asked = objective.apply_mlm_mask(rows, 0)
        assert asked.ids.shape == (8, 24)
        assert (asked.masked_ids[:, 0] == 2).all() and (asked.masked_ids[:, -1] == 3).all()
        assert (asked.ids[:, 1:-1] == rows.ids[:, :22]).all(), "what is read is the text from its beginning"
        assert not asked.is_masked[:, [0, -1]].any() and asked.is_masked.any()


def test_pairs_are_framed_as_two_texts(tmp_path, store):
    """[CLS] question [SEP] answer [SEP], as transformers puts two texts; the frame stays where they are too long."""
    from playground.training.batches import Rows
    from playground.training.objectives import framed

    rows = Rows(np.array([[7, 8, 2, 9, 10, 3], [7, 2, 9, 3, 0, 0]]), starts=np.array([3, 2]), lengths=np.array([6, 4]))
    made = framed(rows, ((2,), (3,)), 0, 24)
    assert made.ids.tolist() == [[2, 7, 8, 3, 9, 10, 3], [2, 7, 3, 9, 3, 0, 0]] and made.lengths.tolist() == [7, 5]
    made = framed(rows, ((2,), (3,)), 0, 5)
    assert made.ids.tolist() == [[2, 7, 8, 3, 3], [2, 7, 3, 9, 3]]


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_labels_are_learnt_tested_and_given_within_the_frame(task, tmp_path):
    from playground.finetune.attribution import attribute
    from playground.finetune.labeller import labeller_of
    from playground.finetune.plan import plan
    from playground.labelled.prepare import load_labelled
    from playground.runs.finetuning import FineTuneSpec, LabelledSpec
    from playground.training.worker import run as train

    write(tmp_path / "bert", "bert")
    parent = import_folder(tmp_path / "bert", RunStore())
    long = "the cat sat on the mat " * 6  # more than the model reads
    texts = [
        f"{'the cat sat' if i % 2 else 'two mat on'} {'cat ' * (i % 5)}{'on ' * (i // 5)}mat" for i in range(60)
    ] + [long]
    rows = [{"text": text, "label": "x" if i % 2 else "y"} for i, text in enumerate(texts)]
    if task == "tag":
        rows = [{"text": text.split(), "label": ["x"] + ["y"] * (len(text.split()) - 1)} for text in texts]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    labelled = LabelledSpec("file", path=str(tmp_path / "rows.jsonl"), text_column="text", label_column="label")
    folder = RunStore().create(
        plan(parent, FineTuneSpec(task, labelled), steps=2, batch_size=8, device="cpu", threads=1)
    )
    assert train(folder) == "finished", folder.status().message
    held = load_labelled(folder.about()["data_folder"])
    for side in (held.train, held.validation, held.test):
        for i in range(len(side)):
            ids = side.tokens(i).tolist()
            assert ids[0] == 2 and ids[-1] == 3 and len(ids) <= 24 and not {2, 3} & set(ids[1:-1])
            assert task == "classify" or (side.tags(i)[[0, -1]] < 0).all(), "the frame has no label"
    labeller = labeller_of(folder)
    heard = Heard(labeller.model)
    if task == "classify":
        labeller.probabilities([*texts[:5], long])
        attribute(labeller, texts[0], 0, steps=4)
    else:
        words = texts[3].split()
        assert [word.strip() for word, _ in labeller.tags(texts[3])] == words
        ends = [ids[place] for ids, place in (labeller.window(texts[3], i) for i in range(len(words)))]
        read = Tokenizer.load(folder.tokenizer_path).pieces(ends)
        assert [piece[-1] for piece in read] == [word[-1] for word in words], "each where its word ends"
        labeller.tags(long)
    assert heard.all_framed(24)


def test_an_export_reads_within_the_frame(tmp_path, store):
    """The shipped program fills in what transformers' way of reading, [CLS] text [SEP] through the weights, does."""
    import subprocess
    import sys

    inner = wordpiece()
    model = write(tmp_path / "bert", "bert", inner)
    inner.no_truncation()
    made = export(import_folder(tmp_path / "bert", store)).folder
    config = json.loads((made / "tokenizer_config.json").read_text())
    assert (config["cls_token"], config["sep_token"], config["mask_token"]) == ("[CLS]", "[SEP]", "[MASK]")
    for text in ("the <mask> sat", "<mask> cat, <mask>", "the cat sat on the mat " * 5 + "<mask>"):
        ids = inner.encode(text.replace("<mask>", "[MASK]")).ids
        ids = ids if len(ids) <= 24 else [*ids[:23], 3]
        assert (
            Inner.from_file(str(made / "tokenizer.json")).encode(text.replace("<mask>", "[MASK]")).ids[:23] == ids[:23]
        )
        with torch.no_grad():
            best = model(torch.tensor([ids])).logits[0].argmax(-1).tolist()
        said = [best[i] if token == 4 else token for i, token in enumerate(ids)][1:-1]
        done = subprocess.run(
            [sys.executable, str(made / "example.py"), text], capture_output=True, text=True, check=True
        )
        assert done.stdout.rstrip("\n") == inner.decode(said), text


def test_explore_looks_at_the_framed_text(tmp_path, monkeypatch):
    from playground.ui.scene import Scene

    model = write(tmp_path / "bert", "bert")
    run = import_folder(tmp_path / "bert", RunStore())
    scene = lambda text: Scene(run, 0, text, "")
    assert scene("the [MASK] cat").tokens() == ["[CLS]", " the", "[MASK]", " cat", "[SEP]"]
    assert scene("the <mask> cat").ids() == scene("the [MASK] cat").ids()
    assert scene("").ids() == [2, 3]
    long = scene("the cat sat on the mat " * 6)
    assert long.is_cut() and len(long.ids()) == model.spec.context_length and (long.ids()[0], long.ids()[-1]) == (2, 3)


@pytest.mark.parametrize(
    ("said", "framed"),
    [
        (None, True),
        ({"tokenizer_class": "BertTokenizer"}, True),
        ({"tokenizer_class": "BertTokenizerFast", "cls_token": {"content": "[CLS]"}}, True),
        ({"tokenizer_class": "BertTokenizer", "cls_token": "[SEP]"}, ((3,), (3,))),
        ({"tokenizer_class": "PreTrainedTokenizerFast"}, False),
    ],
)
def test_a_bert_whose_file_tells_no_frame_has_the_one_of_its_class(said, framed, tmp_path, store):
    """As transformers 5 loads each of these folders."""
    inner = wordpiece()
    state = json.loads(inner.to_str()) | {"post_processor": None}
    write(tmp_path / "bert", "bert", Inner.from_str(json.dumps(state)))
    if said:
        (tmp_path / "bert" / "tokenizer_config.json").write_text(json.dumps(said))
    run = import_folder(tmp_path / "bert", store)
    frame = Tokenizer.load(run.tokenizer_path).frame
    assert frame == (framed if isinstance(framed, tuple) else ((2,), (3,)) if framed else ((), ()))
    again = import_folder(export(run).folder, store)
    assert Tokenizer.load(again.tokenizer_path).frame == frame
