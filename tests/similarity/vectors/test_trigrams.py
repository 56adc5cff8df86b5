from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.errors import InputError
from similarity.vectors import MeaningVectors, TrigramsConfig
from similarity.vectors.trigrams import BUCKETS, TrigramReader, buckets, names_in, words_of

LETTERS = st.text(alphabet="abc ", min_size=1, max_size=30).filter(str.strip)
ONES = np.ones(BUCKETS, np.float32)


def hashed(text: str, width: int) -> np.ndarray:
    return TrigramReader(TrigramsConfig(width=width), ONES).hashed(buckets(text))


def reference(text: str, width: int) -> np.ndarray:
    """Return what the reader does for weights of one, a trigram at a time."""
    row = np.zeros(width)
    for number in buckets(text):
        row[number % width] += 1 if (number // width) % 2 == 0 else -1
    return row


def test_words_are_those_of_letters_and_digits_without_case() -> None:
    assert words_of("It's 3 O’Clock, ÉCOLE!") == ["it", "s", "3", "o", "clock", "école"]
    assert words_of("STRASSE") == words_of("straße")
    assert words_of("!? ;)") == ["!?", ";)"]


@given(LETTERS)
def test_a_word_of_n_letters_has_n_trigrams(text: str) -> None:
    assert len(buckets(text)) == sum(len(word) for word in words_of(text))
    assert all(0 <= number < BUCKETS for number in buckets(text))


def test_the_buckets_are_what_they_were() -> None:
    assert buckets("a cat") == (21655, 42794, 8979, 11357)


@given(LETTERS, LETTERS)
def test_order_of_words_does_not_count_and_texts_add_up(first: str, second: str) -> None:
    assert Counter(buckets(f"{first} {second}")) == Counter(buckets(f"{second} {first}"))
    both = hashed(f"{first} {second}", 64)
    apart = [hashed(text, 64) for text in (first, second)]
    np.testing.assert_allclose(both, np.sum(apart, axis=0))
    np.testing.assert_allclose(both, reference(f"{first} {second}", 64))


def test_inner_products_survive_the_hash() -> None:
    texts = [" ".join(f"word{7 * i + j}" for j in range(6)) for i in range(30)]
    counts = [Counter(buckets(text)) for text in texts]
    exact = np.array([[sum(a[key] * b[key] for key in a) for b in counts] for a in counts])
    rows = np.stack([hashed(text, 4096) for text in texts])
    np.testing.assert_allclose(rows @ rows.T, exact, atol=8)
    assert abs((rows @ rows.T - exact).mean()) < 0.5


def test_what_every_text_has_weighs_little(tiny_vectors: MeaningVectors) -> None:
    reader = tiny_vectors.groups["trigrams"].reader
    assert isinstance(reader, TrigramReader)
    weights = reader.weights
    frequent, unseen = buckets("the"), buckets("quiz")
    assert weights[list(frequent)].max() < 0.2
    assert weights[list(unseen)].min() == 1


def test_texts_that_the_model_cannot_read_are_refused(tiny_vectors: MeaningVectors) -> None:
    for text in ("", "\ud800", "long " * 99):
        with pytest.raises(InputError):
            tiny_vectors.only("trigrams").encode([text])


def test_names_and_numbers_are_known_by_their_looks() -> None:
    assert names_in("The cat sat on the mat.") == 0
    assert names_in("Paris") == names_in("?!") == 0
    assert names_in("In Paris on May 3rd") == pytest.approx(3 / 5)
    assert names_in("7 men") == pytest.approx(1 / 2)
