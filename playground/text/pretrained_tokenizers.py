"""Tokenizers that other people's models came with: WordPiece, SentencePiece, and byte-level BPE as GPT-2 and Llama 3 have.

What a ``tokenizer.json`` does not say of itself (which token pads, begins, ends and hides, and how many ids the model
scores) is written into it when a model is imported, as a template that is never used: other programs still load the file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from playground.core.errors import PlaygroundError
from playground.text import tokenizer_steps
from playground.text.byte_alphabet import byte_letters

if TYPE_CHECKING:
    import tokenizers

State = dict[str, Any]
ROLES = ("pad", "bos", "eos", "mask")
MARK = "lm-playground"
WORDPIECE, SENTENCEPIECE, BYTE_LEVEL = KINDS = "wordpiece", "sentencepiece", "byte-level"
_USUAL = {
    "pad": ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"),
    "bos": ("<bos>", "<s>", "[CLS]", "<|begin_of_text|>", "<|startoftext|>"),
    "eos": ("<eos>", "</s>", "[SEP]", "<|end_of_text|>", "<|endoftext|>"),
    "mask": ("<mask>", "[MASK]"),
}
_ALSO = {"bos": "cls", "eos": "sep"}  # BERT's tokens that stand at the ends of a text
_AS_THE_FILE_SAYS = ("PreTrainedTokenizerFast", "TokenizersBackend")
_CLOSING = set(".,;:!?%)]}’”。，、；：！？）】」』》")  # no space before these


def adopt(text: str, named: Sequence[Mapping[str, Any]], size: int, hides: bool) -> str:
    """The text of a foreign ``tokenizer.json``, marked for `playground.text.tokenizers.Tokenizer` to read.

    Args:
        text: of the file.
        named: what the model's other files say, the surest first: "eos_token" (a name) or "eos_token_id" (a number).
        size: how many tokens the model scores; ids beyond the tokenizer's own stand for nothing.
        hides: whether a mask is needed.

    Raises:
        PlaygroundError: for a kind that is not known, too many tokens, or none that ends a text or hides a token.
    """
    from tokenizers import Tokenizer as Inner

    try:
        tokenizer_steps.check(json.loads(text))
        inner = Inner.from_str(text)
    except PlaygroundError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception
        raise PlaygroundError(
            "tokenizer.json cannot be read: {error}.",
            "The file may be damaged, or a copy of only its beginning.",
            error=error,
        ) from error
    inner.no_truncation()
    inner.no_padding()
    state = _normalized(json.loads(inner.to_str()), named)
    inner = Inner.from_str(json.dumps(state))
    kind_of(state)
    own = max(inner.get_vocab(with_added_tokens=True).values(), default=-1) + 1
    if own > size:
        raise PlaygroundError(
            "The tokenizer has {own} tokens, more than the {size} that the model scores.",
            "The tokenizer and the weights belong to different models.",
            own=own,
            size=size,
        )
    ids = _roles(inner, state, named)
    if ids["mask"] is None and hides:
        raise PlaygroundError(
            "The tokenizer has no token that hides another, which this model needs.",
            'Name one as "mask_token" in tokenizer_config.json.',
        )
    processor = _framed(inner, named) if hides else state["post_processor"]
    marks: list[Any] = [ids[role] if ids[role] is not None else ids["pad"] for role in ROLES] + [size]
    return json.dumps(state | {"post_processor": _marked(processor, marks)}, ensure_ascii=False)


def _normalized(state: State, named: Sequence[Mapping[str, Any]]) -> State:
    """The tokenizer with what ``tokenizer_config.json`` says of capitals, accents and Chinese, which transformers follows even
    where the tokenizer's own file says otherwise, but for classes that only do what the file says.
    """
    steps, classes = state["normalizer"], [said["tokenizer_class"] for said in named if said.get("tokenizer_class")]
    if not steps or steps["type"] != "BertNormalizer" or (classes and classes[0] in _AS_THE_FILE_SAYS):
        return state
    words = {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "handle_chinese_chars",
    }
    told = {
        ours: said[key] for said in reversed(named) for key, ours in words.items() if isinstance(said.get(key), bool)
    }
    return state | {"normalizer": steps | told}


def _framed(inner: "tokenizers.Tokenizer", named: Sequence[Mapping[str, Any]]) -> State | None:
    """The post-processor of a BERT's or RoBERTa's tokenizer: transformers puts [CLS] … [SEP] or <s> … </s> around texts also
    where the file says nothing of it, but for classes that only do what the file says.
    """
    kind = kind_of(json.loads(inner.to_str()))
    processor = json.loads(inner.to_str())["post_processor"]
    classes = [said["tokenizer_class"] for said in named if isinstance(said.get("tokenizer_class"), str)]
    if inner.encode("a").ids != inner.encode("a", add_special_tokens=False).ids or (
        classes and classes[0] in _AS_THE_FILE_SAYS
    ):
        return processor
    usual_ends = {WORDPIECE: ("[SEP]", "[CLS]"), BYTE_LEVEL: ("</s>", "<s>")}.get(kind)
    if usual_ends is None:
        return processor
    ends = {}
    for key, usual in zip(("sep", "cls"), usual_ends, strict=True):
        names = [*(_name(said.get(f"{key}_token")) for said in named), usual]
        ends[key] = next(([name, i] for name in names if name and (i := inner.token_to_id(name)) is not None), None)
    if not all(ends.values()):
        return processor
    if kind == WORDPIECE:
        return {"type": "BertProcessing", **ends}
    roberta = {"type": "RobertaProcessing", **ends, "trim_offsets": True, "add_prefix_space": False}
    return roberta if processor is None else {"type": "Sequence", "processors": [*_steps(processor), roberta]}


def _name(said: Any) -> str | None:
    """A special token's name, as it is or with what else is said of it."""
    said = said.get("content") if isinstance(said, Mapping) else said
    return said if isinstance(said, str) else None


def _roles(inner: "tokenizers.Tokenizer", state: State, named: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """The id of each role: by the name the files give, the number they give, or a usual name; else another's."""
    special = {token["id"] for token in state["added_tokens"] if token["special"]}

    def candidates(role: str) -> Iterator[int | None]:
        for key in filter(None, (role, _ALSO.get(role))):
            for said in named:
                name = _name(said.get(f"{key}_token"))
                yield None if name is None else inner.token_to_id(name)
        for said in named:
            number = said.get(f"{role}_token_id")
            number = number[0] if isinstance(number, list) and number else number
            yield number if isinstance(number, int) and number in special else None
        yield from map(inner.token_to_id, _USUAL[role])

    ids = {role: next((i for i in candidates(role) if i is not None), None) for role in ROLES}
    first = lambda *roles: next((ids[role] for role in roles if ids[role] is not None), None)
    ids |= {"eos": first("eos", "bos", "pad"), "bos": first("bos", "eos", "pad"), "pad": first("pad", "eos", "bos")}
    if ids["eos"] is None:
        raise PlaygroundError(
            "The tokenizer has no token that ends a text.", 'Name one as "eos_token" in tokenizer_config.json.'
        )
    return ids


def _marked(processor: State | None, marks: list[int]) -> State:
    """A post-processor that does what ``processor`` does, and keeps ``marks``.

    There can be one template only: an own one takes the marks in, and that of BERT is written as one.
    """
    steps = [_as_template(step) for step in _steps(processor)]
    if not any(step["type"] == "TemplateProcessing" for step in steps):
        steps.append(_template([_text("A", 0)], [_text("A", 0), _text("B", 1)], {}))
    mark = {MARK: {"id": MARK, "ids": marks, "tokens": [*ROLES, "size"]}}
    steps = [
        step | {"special_tokens": step["special_tokens"] | mark} if step["type"] == "TemplateProcessing" else step
        for step in steps
    ]
    return steps[0] if len(steps) == 1 else {"type": "Sequence", "processors": steps}


def _as_template(step: State) -> State:
    """BertProcessing and RobertaProcessing, [CLS] text [SEP] and what two texts are, as a template."""
    if step["type"] not in ("BertProcessing", "RobertaProcessing"):
        return step
    bert = step["type"] == "BertProcessing"
    (sep, _), (cls, _) = step["sep"], step["cls"]
    name = lambda token, number=0: {"SpecialToken": {"id": token, "type_id": number}}
    single = [name(cls), _text("A", 0), name(sep)]
    second = [_text("B", 1), name(sep, 1)] if bert else [name(sep), _text("B", 0), name(sep)]
    known = {token: {"id": token, "ids": [i], "tokens": [token]} for token, i in (step["sep"], step["cls"])}
    return _template(single, [*single, *second], known)


def _template(single: list[State], pair: list[State], special_tokens: State) -> State:
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special_tokens}


def _text(which: str, number: int) -> State:
    return {"Sequence": {"id": which, "type_id": number}}


def _steps(processor: State | None) -> list[State]:
    if processor is None:
        return []
    return processor["processors"] if processor["type"] == "Sequence" else [processor]


def marks_of(state: State) -> list[int] | None:
    """Pad, bos, eos, mask and size, as `adopt` wrote them; None for a tokenizer of the playground's own."""
    for step in _steps(state.get("post_processor")):
        if mark := step.get("special_tokens", {}).get(MARK):
            return mark["ids"]
    return None


def kind_of(state: State) -> str:
    """WORDPIECE, SENTENCEPIECE or BYTE_LEVEL.

    Raises:
        PlaygroundError: for any other.
    """
    model = state["model"]
    steps = {step for part in ("normalizer", "pre_tokenizer", "decoder") for step in types_of(state.get(part))}
    if model["type"] == "WordPiece":
        return WORDPIECE
    if model["type"] == "BPE" and "ByteLevel" in steps:
        return BYTE_LEVEL
    underlines = "▁" in json.dumps(state.get("normalizer"), ensure_ascii=False)
    if model["type"] in ("BPE", "Unigram") and (underlines or "Metaspace" in steps):
        return SENTENCEPIECE
    raise PlaygroundError(
        "A tokenizer of the kind {model} with {steps} is not known here.",
        "Known are byte-level BPE (GPT-2, Llama 3), SentencePiece (Llama 2, Mistral) and WordPiece (BERT).",
        model=model["type"],
        steps=", ".join(sorted(steps)) or "no steps",
    )


def types_of(part: Any) -> Iterator[str]:
    """The types of a step and of all steps in it."""
    if isinstance(part, Mapping):
        if isinstance(part.get("type"), str):
            yield part["type"]
        for inner in part.values():
            yield from types_of(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from types_of(inner)


def token_bytes(inner: "tokenizers.Tokenizer", state: State, size: int) -> list[bytes]:
    """What each token writes, by id, with the space before it where it begins a word; the names of special ones."""
    kind, added = kind_of(state), {token["id"] for token in state["added_tokens"]}
    write = {BYTE_LEVEL: _from_letters(), SENTENCEPIECE: _from_sentencepiece, WORDPIECE: _from_wordpiece(state)}[kind]
    table = [f"<unused {i}>".encode() for i in range(size)]
    for token, i in inner.get_vocab(with_added_tokens=True).items():
        table[i] = token.encode() if i in added else write(token)
    return table


def special_ids(inner: "tokenizers.Tokenizer", state: State, marks: Sequence[int]) -> frozenset[int]:
    """The ids that write nothing: of special tokens, of the unknown, and those that the tokenizer never gives."""
    *roles, size = marks
    known = set(inner.get_vocab(with_added_tokens=True).values())
    special = {token["id"] for token in state["added_tokens"] if token["special"]}
    unknown = state["model"].get("unk_token")
    if isinstance(unknown, str) and inner.token_to_id(unknown) is not None:
        special.add(inner.token_to_id(unknown))
    return frozenset(special | set(roles) | (set(range(size)) - known))


def _from_letters():
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}

    def write(token: str) -> bytes:
        if all(letter in byte_of for letter in token):
            return bytes(byte_of[letter] for letter in token)
        return token.encode()

    return write


def _from_sentencepiece(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()


def _from_wordpiece(state: State):
    """WordPiece forgets the spaces of a text; they are put back where most texts have them."""
    inside = state["model"].get("continuing_subword_prefix", "##")

    def write(token: str) -> bytes:
        if token.startswith(inside) and len(token) > len(inside):
            return token.removeprefix(inside).encode()
        unspaced = len(token) == 1 and (token in _CLOSING or "\u3400" <= token <= "\u9fff")
        return token.encode() if unspaced else f" {token}".encode()

    return write
