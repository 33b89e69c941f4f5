"""Sentences in the person's language."""

from playground.ui.language import joined


def test_sentences_are_joined_as_each_language_does():
    assert joined("It forgets.", "", "It learns.") == "It forgets. It learns."
    assert joined("它会遗忘。", "它会学习。", "") == "它会遗忘。它会学习。"
    assert joined("它看“a。 b”。", "好") == "它看“a。 b”。好", "what stands within a sentence stays"
    assert joined() == ""
