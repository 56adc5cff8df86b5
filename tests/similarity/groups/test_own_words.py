import numpy as np

from similarity.groups.own_words import shared_words, unequal_numbers


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


def test_numbers_count_as_often_as_they_stand() -> None:
    found = unequal_numbers("", ["3 of 3 passed", "3 of 4 passed", "3 passed"])
    assert found.tolist() == [[False, True, False], [True, False, False], [False, False, False]]


def test_many_answers_are_compared_as_few_are() -> None:
    """They are by some rows at once."""
    answers = [f"{i % 7} of {i % 11}" for i in range(600)]
    few = list(dict.fromkeys(answers))
    at = [few.index(answer) for answer in answers]
    np.testing.assert_array_equal(
        unequal_numbers("", answers), unequal_numbers("", few)[np.ix_(at, at)]
    )


def test_an_answer_to_what_percentage_need_not_say_percent() -> None:
    answers = ["71%", "71", "About 71 percent.", "70 %"]
    found = unequal_numbers("What percentage of the surface is water?", answers)
    assert not found[:3, :3].any()
    assert found[:3, 3].all()
    assert unequal_numbers("How much is it?", answers)[0, 1]


def test_ordinals_are_no_evidence_that_answers_agree() -> None:
    found = shared_words("Who was it?", ["Gagarin, the first", "Armstrong, the first"])
    assert found[0, 1] < 1
    assert unequal_numbers("How did he do?", ["He came first.", "He came second."])[0, 1]
