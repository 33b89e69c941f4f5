"""Tokenizers that lie in parts, as older models have them: ``vocab.txt`` of a BERT; ``vocab.json`` and ``merges.txt``.

What no file says is as transformers' classes for them have it: BertTokenizer, RobertaTokenizer and GPT2Tokenizer.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.core.errors import PlaygroundError

if TYPE_CHECKING:
    import tokenizers

Said = Sequence[Mapping[str, Any]]
WORDS, LETTERS, MERGES, ADDED = FILES = "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json"
LARGEST = 64 * 2**20  # bytes of one of them
WORDPIECE = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")
ROBERTA, GPT2 = "RobertaTokenizer", "GPT2Tokenizer"
_BERT = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
_ROBERTA = {"bos": "<s>", "eos": "</s>", "sep": "</s>", "cls": "<s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"}
_GPT2 = {"unk": "<|endoftext|>", "bos": "<|endoftext|>", "eos": "<|endoftext|>"}
SAVE = "In transformers, AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes it."


def assemble(folder: Path, named: Said, usual: str) -> "tokenizers.Tokenizer":
    """The tokenizer of a folder without a ``tokenizer.json``.

    Args:
        named: what the folder's other files say, the surest first.
        usual: the class of transformers where none of them names one.

    Raises:
        PlaygroundError: when its parts are missing or damaged, or ask for what no tokenizer here does.
    """
    kind = str(_first(named, "tokenizer_class", usual)).removesuffix("Fast")
    if kind in WORDPIECE:
        needed, make = (WORDS,), _wordpiece
    elif kind in (ROBERTA, GPT2):
        needed, make = (LETTERS, MERGES), _byte_level
    else:
        raise PlaygroundError(
            "There is no tokenizer.json in {name}, and a {kind} cannot be made here of other files.",
            SAVE,
            name=folder.name,
            kind=kind,
        )
    for name in needed:
        if not (folder / name).is_file():
            raise PlaygroundError(
                "There is neither tokenizer.json nor {name} in {folder}.", SAVE, name=name, folder=folder.name
            )
    try:
        made = make(folder, named, kind)
        _add(made, folder, named)
        return _with_special_tokens(made, named, kind)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(" and ".join(needed)) from error


def _wordpiece(folder: Path, named: Said, kind: str) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    def flag(name: str, default: bool | None) -> Any:
        return _flag(named, name, default)

    if not flag("do_basic_tokenize", True):
        raise PlaygroundError(
            "This tokenizer has do_basic_tokenize = False, which is not read from vocab.txt.",
            "In transformers, load it with a class that is right, and save it: that writes tokenizer.json.",
        )
    lines = _text(folder / WORDS).removesuffix("\n").split("\n")
    words = {word: i for i, word in enumerate(lines)}  # of two lines that are the same the later counts
    unknown = _name(named, "unk", _BERT)
    if unknown not in words:
        raise PlaygroundError(
            "vocab.txt has no {unknown}, the token for words that are not known.",
            'Name the one that it has as "unk_token" in tokenizer_config.json.',
            unknown=unknown,
        )
    made = Tokenizer(models.WordPiece(words, unk_token=unknown))
    made.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=flag("tokenize_chinese_chars", True),
        strip_accents=flag("strip_accents", None),
        lowercase=flag("do_lower_case", True),
    )
    made.pre_tokenizer, made.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(prefix="##")
    return made


def _byte_level(folder: Path, named: Said, kind: str) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = json.loads(_text(folder / LETTERS))
    lines = _text(folder / MERGES).split("\n")
    if lines[0].startswith("#version"):  # any other line may begin with the sign, which is a token
        lines = lines[1:]
    merges: list[Any] = [tuple(line.split(" ")) for line in lines if line.strip()]
    try:
        made = Tokenizer(
            models.BPE(letters, merges, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False)
        )
    except Exception as error:  # the tokenizers library raises bare Exception
        raise _damaged(f"{LETTERS} and {MERGES}") from error
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(_flag(named, "add_prefix_space", False)))
    made.decoder = decoders.ByteLevel()
    return made


def _add(made: "tokenizers.Tokenizer", folder: Path, named: Said) -> None:
    """The tokens that are told beside the vocabulary, with the ids that they are told to have."""
    told = {int(i): token for said in named for i, token in (said.get("added_tokens_decoder") or {}).items()}
    if (folder / ADDED).is_file():
        for token, i in json.loads(_text(folder / ADDED)).items():
            told.setdefault(int(i), token)
    for i, token in sorted(told.items()):
        name = token if isinstance(token, str) else token["content"]
        if made.token_to_id(name) is None and i != made.get_vocab_size():
            raise PlaygroundError(
                "The token {token} is told to have the number {number}, and the next one is {next_number}.",
                "The files of the tokenizer belong to different models, or one is damaged.",
                token=name,
                number=i,
                next_number=made.get_vocab_size(),
            )
        special = not isinstance(token, str) and bool(token.get("special"))
        (made.add_special_tokens if special else made.add_tokens)([_token(token)])
    for said in named:
        more = said.get("additional_special_tokens") or []
        made.add_special_tokens([_token(token) for token in ([more] if isinstance(more, str) else more)])


def _with_special_tokens(made: "tokenizers.Tokenizer", named: Said, kind: str) -> "tokenizers.Tokenizer":
    """The special tokens, and those that stand around every text."""
    from tokenizers import AddedToken, processors

    usual = _BERT if kind in WORDPIECE else _ROBERTA if kind == ROBERTA else _GPT2
    there = {token.content for token in made.get_added_tokens_decoder().values()}
    for role, name in usual.items():
        if _name(named, role, usual) in there:
            continue  # told in full
        said = _first(named, f"{role}_token", name)
        spaced = kind == ROBERTA and role == "mask" and isinstance(said, str)  # it takes the space before it
        token = AddedToken(said, lstrip=True, normalized=False, special=True) if spaced else _token(said)
        made.add_special_tokens([token])
    if kind == GPT2:
        made.post_processor = processors.ByteLevel(trim_offsets=False)
        return made
    sep, cls = [(name, _id_of(made, name)) for name in (_name(named, role, usual) for role in ("sep", "cls"))]
    if kind == ROBERTA:
        made.post_processor = processors.RobertaProcessing(
            sep, cls, add_prefix_space=bool(_flag(named, "add_prefix_space", False))
        )
    else:
        made.post_processor = processors.BertProcessing(sep, cls)
    return made


def _id_of(made: "tokenizers.Tokenizer", name: str) -> int:
    """The id of a token that was added before."""
    found = made.token_to_id(name)
    assert found is not None
    return found


def _first(named: Said, key: str, usual: Any) -> Any:
    return next((said[key] for said in named if said.get(key)), usual)


def _flag(named: Said, key: str, usual: bool | None) -> bool | None:
    """What the first file that knows of it says; none there: as usual. null is an answer where it means "as it comes"."""
    said = next((said[key] for said in named if key in said), usual)
    said = usual if said is None else said
    if said is not None and not isinstance(said, bool):
        raise PlaygroundError(
            "The files of the tokenizer say {said!r} for {key}.", "It must be true or false.", said=said, key=key
        )
    return said


def _name(named: Said, role: str, usual: Mapping[str, str]) -> str:
    said = _first(named, f"{role}_token", usual[role])
    return said if isinstance(said, str) else said["content"]


def _token(said: str | Mapping[str, Any]) -> "tokenizers.AddedToken":
    from tokenizers import AddedToken

    if isinstance(said, str):
        return AddedToken(said, normalized=False, special=True)
    flags = {key: bool(said[key]) for key in ("lstrip", "rstrip", "single_word", "normalized") if key in said}
    return AddedToken(said["content"], **({"normalized": False} | flags))


def _text(path: Path) -> str:
    """Line ends of all kinds as one, no byte-order mark; other spaces are a part of a token."""
    if path.stat().st_size > LARGEST:
        raise PlaygroundError("The file {name} is too large.", "Download or copy it again.", name=path.name)
    return path.read_text(encoding="utf-8-sig")


def _damaged(names: str) -> PlaygroundError:
    return PlaygroundError("The tokenizer cannot be read from {names}.", "Download or copy it again.", names=names)
