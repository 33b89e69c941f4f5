"""Little stories: a corpus of our own, made by a grammar from a seed, in English and in Chinese (CC0)."""
