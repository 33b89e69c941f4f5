"""What is said of heads that follow the meaning of words, and which one is shown first."""

import numpy as np
import pytest

from playground.pages.explore.known_heads import Known, begin_with, pronoun_in, said_of

BOTH = Known({(1, 2): ("pronoun", 0.61), (0, 3): ("copying", 0.48), (0, 0): ("previous", 0.97)}, 60)
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
    ],
)
def test_the_last_pronoun_is_found_as_a_whole_word(pieces, place):
    assert pronoun_in(pieces) == place


def test_a_text_with_a_pronoun_begins_with_the_head_that_knows_what_it_means():
    assert begin_with(BOTH, WORDS) == (1, 2)


def test_a_text_without_a_pronoun_begins_with_the_head_that_copies():
    assert begin_with(BOTH, NO_PRONOUN) == (0, 3)


def test_a_model_without_a_head_for_pronouns_begins_with_the_one_that_copies():
    assert begin_with(Known({(0, 3): ("copying", 0.48)}, 60), WORDS) == (0, 3)


@pytest.mark.parametrize("known", [None, Known({}, 60), Known({(0, 0): ("previous", 0.97)}, 60)])
def test_where_no_head_follows_meaning_none_is_begun_with(known):
    assert begin_with(known, WORDS) is None


def test_only_the_head_for_pronouns_begins_where_there_is_a_pronoun():
    known = Known({(1, 2): ("pronoun", 0.61)}, 60)
    assert begin_with(known, WORDS) == (1, 2) and begin_with(known, NO_PRONOUN) is None


def looking(at, to, weight):
    """Weights of one head, even but for one query."""
    values = np.tri(len(WORDS)) / np.arange(1, len(WORDS) + 1)[:, None]
    values[at] = (1 - weight) / at * (np.arange(len(WORDS)) <= at)
    values[at, to] = weight
    return values


def test_of_a_head_for_pronouns_it_is_said_to_which_noun_it_looks_here():
    general, here = said_of(BOTH, (1, 2), looking(6, 1, 0.75), WORDS, WORDS)
    assert "1.2" in general and "0.61" in general and "60" in general and "pronoun" in general
    assert here == "Here it looks from “It” to “cat” (0.75)."


def test_of_the_other_kinds_only_what_they_do_is_said():
    (copying,) = said_of(BOTH, (0, 3), looking(6, 1, 0.75), WORDS, WORDS)
    assert copying.startswith("Head 0.3 ") and "again" in copying and "0.48" in copying
    (previous,) = said_of(BOTH, (0, 0), looking(6, 1, 0.75), WORDS, WORDS)
    assert previous.startswith("Head 0.0 ") and "one token back" in previous and "0.97" in previous


def test_without_a_pronoun_and_where_it_was_cut_off_nothing_is_said_of_this_text():
    assert len(said_of(BOTH, (1, 2), looking(5, 1, 0.75), NO_PRONOUN, NO_PRONOUN)) == 1
    assert len(said_of(BOTH, (1, 2), looking(6, 1, 0.75)[:6], WORDS, WORDS)) == 1
