import numpy as np
import pytest

from similarity.groups.own_words import numbers_in, shared_words, unequal_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It ended in 1945.", {1945}),
        ("9am", {9}),
        ("Twenty-nine days, or 28", {29, 28}),
        ("1,492 people and 2.5 dogs", {1492, 2.5}),
        ("twenty people", {20}),
        ("version 1.2.3", set()),
        ("٣ or ²", set()),
        ("nobody", set()),
    ],
)
def test_numbers(text: str, numbers: set[float]) -> None:
    assert numbers_in(text) == numbers


def test_numbers_that_neither_answer_has_all_of_are_unequal() -> None:
    answers = ["1945", "In 1918.", "On 5 May 1945", "May 6, 1945", "long ago", "12"]
    found = unequal_numbers("Which of 12 wars ended?", answers)
    expected = np.zeros((6, 6), bool)
    for i, j in ((0, 1), (1, 2), (1, 3), (2, 3)):
        expected[i, j] = expected[j, i] = True
    assert (found == expected).all()


def test_words_that_answers_share_beyond_the_question() -> None:
    answers = ["Paris.", "The capital is Paris.", "London.", "the capital", "8", "Eight."]
    found = shared_words("What is the capital?", answers)
    assert (found == found.T).all()
    assert found[0, 1] == 1
    assert found[0, 2] < 0.2
    # What has no word of its own differs from nothing.
    assert found[0, 3] == 1
    assert found[4, 5] == 1
    assert ((found >= 0) & (found <= 1)).all()


def test_answers_without_words_of_their_own_are_parted_by_nothing() -> None:
    assert (shared_words("Is it red?", ["It is.", "is it", "?"])[:2, :2] == 1).all()
    assert (shared_words("Is it red?", ["it", "is"]) == 1).all()
    assert not unequal_numbers("1 or 2?", ["1", "2"]).any()
