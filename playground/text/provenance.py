"""Where a text comes from, as it stands in prepared data: sentences that a page translates."""

import re

from playground.core.errors import Message, sentences

TEMPLATES = (
    "The package {package}.",
    "Read from {source}.",
    "Generated from the seed {seed}.",
    "From the file {name}.",
    "Written in the app: “{beginning}”.",
    "https://huggingface.co/datasets/{name}, split {split}.",
)


def provenance_of(text: str) -> str:
    """The provenance as Messages. Earlier versions wrote finished English, which is matched with its templates.

    Args:
        text: ``info["provenance"]`` of prepared data; a Message stays as it is.
    """
    if isinstance(text, Message):
        return text
    first, read_from, source = text.partition(" Read from ")
    return sentences(_matched(first), _matched(f"Read from {source}") if read_from else "")


def _matched(sentence: str) -> str:
    for template in TEMPLATES:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(template))
        if found := re.fullmatch(pattern, sentence):
            return Message(template, **found.groupdict())
    return sentence
