"""Words of others are shown as printable lines, whatever they have."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity import errors
from similarity.errors import InputError, TrajsimError
from similarity.printable import printable

KINDS = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, TrajsimError)
]
ANY_TEXT = st.text(st.characters() | st.sampled_from("\x1b\r\n\x07\u202e\x9b\x85\u2028"))


@given(ANY_TEXT)
def test_nothing_but_what_is_not_printable_is_changed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize("kind", KINDS)
@given(said=ANY_TEXT)
def test_what_an_error_says_is_one_printable_line(kind: type[TrajsimError], said: str) -> None:
    error = kind(f"http://a:8000 answered HTTP 400: {said}")
    assert str(error).isprintable()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_lines_of_an_error_are_parted_by_a_space() -> None:
    assert str(InputError("one\ntwo\r\nthree")) == "one two three"
