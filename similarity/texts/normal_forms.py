"""Unicode's normal forms, in a time that grows as the length of the text does."""

import re
from typing import Literal
from unicodedata import combining, normalize

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

# Of fewer marks on one letter Python's own order takes no time to speak of.
_FEW = 30


def normal_form(form: Form, text: str) -> str:
    """Return what `unicodedata.normalize` does, in a time that grows as the text does.

    Python puts the marks behind a letter in order by moving each to its place past all others.
    That takes a second for 20,000 marks, in which no other thread runs.
    """
    return normalize(form, text if text.isascii() else _with_marks_in_order(form, text))


def _with_marks_in_order(form: Form, text: str) -> str:
    """Return an equivalent text, whose many marks in a row are taken apart and in order."""
    apart: Form = "NFKD" if form in ("NFKC", "NFKD") else "NFD"
    marks = "".join(sign for sign in set(text) if combining(normalize(apart, sign)[0]))
    if not marks:
        return text

    def in_order(run: re.Match[str]) -> str:
        # Marks of one class stay as they stand: their order has a meaning.
        return "".join(sorted("".join(normalize(apart, sign) for sign in run[0]), key=combining))

    return re.sub(f"[{re.escape(marks)}]{{{_FEW},}}", in_order, text)
