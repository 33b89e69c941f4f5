"""Little stories: a corpus of our own, made by a grammar from a seed, in English and in Chinese (CC0)."""

from playground.text.stories.grammar import Link, Story
from playground.text.stories.open import LANGUAGES, open_stories, stories

__all__ = ["LANGUAGES", "Link", "Story", "open_stories", "stories"]
