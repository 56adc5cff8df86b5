from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from similarity.entailment.kinds import (
    ALIKE,
    FIRST_IS,
    NEITHER,
    SECOND_IS,
    KindReading,
    kind_margins,
    read_kinds,
)
from similarity.errors import InputError
from similarity.law import Law
from similarity.models.base import TokenIds
from similarity.models.toy import ToyModel

# "First is a kind of second" by 5, 6 and 7 nats, much likelier than usual, and no other word.
TOLD = KindReading(
    kind=np.array([[-5.0, -5.0, -5.0], [-10.0, -11.0, -12.0]]),
    usual=np.array([-9.0, -11.0]),
    another=np.array([-8.0, -12.0]),
)


def log_probs(toy: ToyModel, prefix: str, continuation: str) -> list[float]:
    ids: TokenIds = toy.encode(prefix)
    found = []
    for token in toy.encode(continuation):
        found.append(float(toy.step_log_probs(ids, Law())[token]))
        ids = (*ids, token)
    return found


def test_sentences_by_their_definition(toy_model: ToyModel) -> None:
    def said(prefix: str, word: str) -> float:
        return sum(log_probs(toy_model, prefix, f" {word}"))

    (found,) = read_kinds(toy_model, [("dog", "animal")])
    assert found.kind[0] == pytest.approx(
        [
            said("A dog is a kind of", "animal"),
            said("A dog is a type of", "animal"),
            said("If something is a dog, then it is a kind of", "animal"),
        ]
    )
    assert found.kind[1, 0] == pytest.approx(said("An animal is a kind of", "dog"))
    assert found.usual == pytest.approx(
        [said("It is a kind of", "animal"), said("It is a kind of", "dog")]
    )
    assert found.another == pytest.approx(
        [said("Another word for dog is", "animal"), said("Another word for animal is", "dog")]
    )


def test_the_margin_alone_is_that_of_the_reading(toy_model: ToyModel) -> None:
    pairs = [("dog", "animal"), ("animal", "dog"), ("car", "sea")]
    readings = read_kinds(toy_model, pairs)
    assert kind_margins(toy_model, pairs) == pytest.approx([one.margin for one in readings])
    assert readings[0].margin == pytest.approx(-readings[1].margin)


def test_numbers_by_hand() -> None:
    assert TOLD.margin == 6
    half = stats.t.ppf(0.975, 2) / 3**0.5
    assert TOLD.interval == pytest.approx((6 - half, 6 + half))
    assert TOLD.beyond_usual == (4, 1)
    assert TOLD.strength == 6 + (-5 - -8)


def reverse(one: KindReading) -> KindReading:
    return KindReading(one.kind[::-1], one.usual[::-1], one.another[::-1])


def test_verdicts() -> None:
    assert TOLD.verdict == FIRST_IS
    assert reverse(TOLD).verdict == SECOND_IS
    # Wordings that do not agree, no likelier than usual, as likely for another word.
    unsure = replace(TOLD, kind=np.array([[-5.0, -5.0, -5.0], [-3.0, -15.0, -15.0]]))
    assert unsure.interval[0] < 0 < unsure.margin
    for one in (
        unsure,
        replace(TOLD, usual=np.array([-7.0, -11.0])),
        replace(TOLD, another=np.array([-4.0, -12.0])),
    ):
        assert one.verdict == NEITHER
        assert reverse(one).verdict == NEITHER
    # Each is likelier than usual after the other, as a kind and as another word.
    alike = KindReading(np.full((2, 3), -5.0), np.full(2, -9.0), np.full(2, -6.0))
    assert alike.verdict == ALIKE


def test_a_word_that_is_too_long_is_refused(toy_model: ToyModel) -> None:
    with pytest.raises(InputError, match="too long"):
        read_kinds(toy_model, [("d" * 5000, "animal")])
