"""Letters: those that bytes are written with in vocabulary files, and those that no file can hold."""

import functools


@functools.cache
def byte_letters() -> list[str]:
    """The visible letter that stands for each byte in a vocabulary file (GPT-2's table), ``[256]``."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def clean(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot write, turned into U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
