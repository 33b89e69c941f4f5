"""The letters that bytes are written with in vocabulary files."""

import functools


@functools.cache
def byte_letters() -> list[str]:
    """The visible letter that stands for each byte in a vocabulary file (GPT-2's table), ``[256]``."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]
