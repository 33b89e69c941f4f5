"""What is said of heads that follow the meaning of words, and which one is shown first."""

import numpy as np
import pytest

from playground.pages.explore.known_heads import Known, asked_in, begin_with, said_of

ALL = Known({(1, 2): ("it", 0.61), (1, 0): ("answer", 0.52), (0, 3): ("repeat", 0.48), (0, 0): ("previous", 0.97)}, 60)
WORDS = ["The", " cat", " saw", " the", " dog", ".", " It", " ran", "."]
NO_PRONOUN = WORDS[:6]


@pytest.mark.parametrize(
    ("pieces", "place"),
    [
        (WORDS, 6),
        (NO_PRONOUN, None),
        ([], None),
        (["He", " saw", " her", " hat"], 2),
        (["It", " sat"], 0),
        (["猫", "看", "见", "她"], 3),
        ([" item", " herd", " shell"], None),
        (["The", " <mask>", " saw", " It"], 1),
        (["<mask>", " saw", " <mask>", "."], 2),
    ],
)
def test_the_last_mask_is_found_else_the_last_pronoun_as_a_whole_word(pieces, place):
    assert asked_in(pieces) == place


def test_a_text_with_a_pronoun_begins_with_the_head_that_knows_what_it_means():
    assert begin_with(ALL, WORDS) == (1, 2)


def test_a_text_with_a_mask_begins_with_it_too():
    assert begin_with(ALL, ["The", " <mask>", " ran"]) == (1, 2), "it may hide a pronoun"


def test_a_text_without_a_pronoun_begins_with_the_head_that_copies_a_row_else_an_answer():
    assert begin_with(ALL, NO_PRONOUN) == (0, 3)
    assert begin_with(Known({(1, 0): ("answer", 0.52)}, 60), NO_PRONOUN) == (1, 0)


def test_a_model_without_a_head_for_pronouns_begins_with_the_one_that_copies():
    assert begin_with(Known({(0, 3): ("repeat", 0.48)}, 60), WORDS) == (0, 3)


@pytest.mark.parametrize("known", [None, Known({}, 60), Known({(0, 0): ("previous", 0.97)}, 60)])
def test_where_no_head_follows_meaning_none_is_begun_with(known):
    assert begin_with(known, WORDS) is None


def test_only_the_head_for_pronouns_begins_where_there_is_a_pronoun():
    known = Known({(1, 2): ("it", 0.61)}, 60)
    assert begin_with(known, WORDS) == (1, 2) and begin_with(known, NO_PRONOUN) is None


def looking(at, to, weight):
    """Weights of one head, even but for one query."""
    values = np.tri(len(WORDS)) / np.arange(1, len(WORDS) + 1)[:, None]
    values[at] = (1 - weight) / at * (np.arange(len(WORDS)) <= at)
    values[at, to] = weight
    return values


def test_of_a_head_for_pronouns_it_is_said_to_which_noun_it_looks_here():
    general, here = said_of(ALL, (1, 2), looking(6, 1, 0.75), WORDS, WORDS)
    assert "1.2" in general and "0.61" in general and "60" in general and "“it” means" in general
    assert here == "Here it looks from “It” to “cat” (0.75)."


@pytest.mark.parametrize(
    ("head", "does", "share"), [((1, 0), "answer to a question", "0.52"), ((0, 3), "said again", "0.48")]
)
def test_of_a_head_that_copies_it_is_said_where_it_looks_from_the_mask(head, does, share):
    pieces = [*WORDS[:6], " <mask>", *WORDS[7:]]
    general, here = said_of(ALL, head, looking(6, 4, 0.75), pieces, pieces)
    assert general.startswith(f"Head {head[0]}.{head[1]} ") and does in general and share in general
    assert here == "Here it looks from “<mask>” to “dog” (0.75)."


def test_of_a_head_that_looks_one_back_only_what_it_does_is_said():
    (previous,) = said_of(ALL, (0, 0), looking(6, 1, 0.75), WORDS, WORDS)
    assert previous.startswith("Head 0.0 ") and "one token back" in previous and "0.97" in previous


def test_without_a_pronoun_and_where_it_was_cut_off_nothing_is_said_of_this_text():
    assert len(said_of(ALL, (1, 2), looking(5, 1, 0.75), NO_PRONOUN, NO_PRONOUN)) == 1
    assert len(said_of(ALL, (1, 2), looking(6, 1, 0.75)[:6], WORDS, WORDS)) == 1
