"""Unicode's normal forms: those of Python, without its order of marks by their square."""

from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.texts import normal_forms
from similarity.texts.normal_forms import normal_form

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
# Marks of several classes, and signs that become marks when they are taken apart.
MARKS = (
    "\u0301\u0315\u0316\u0323\u0327\u0334\u0344\u0345\u05b0\u0f73\u0f75\u0f81\uff9e\uff9f\U0001d165"
)
LETTERS = "aeé\u1e69か가\u1100\u1161ﬁ²\u0f40\u0958"


@pytest.mark.parametrize("form", FORMS)
@given(
    pieces=st.lists(
        st.tuples(
            st.text(LETTERS, max_size=3),
            st.text(st.sampled_from(MARKS) | st.characters(categories=["Mn", "Me"]), max_size=90),
        ),
        max_size=3,
    )
)
def test_forms_are_those_of_python(form, pieces):
    text = "".join(letters + marks for letters, marks in pieces)
    assert normal_form(form, text) == normalize(form, text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "marks", ["\u0315" * 9_900 + "\u0316" * 9_900, "\u0344\u0316" * 9_900, "\u0f73" * 9_900]
)
def test_python_is_given_many_marks_in_order(form, marks, monkeypatch):
    """It takes a second for 20,000 that are not, and no other thread runs meanwhile."""
    given_to: list[str] = []

    def recorded(form, text):
        given_to.append(text)
        return normalize(form, text)

    monkeypatch.setattr(normal_forms, "normalize", recorded)
    text = f"a{marks} end"
    normal_form(form, text)
    classes = [combining(sign) for sign in given_to[-1][1:-4]]
    assert classes == sorted(classes)
