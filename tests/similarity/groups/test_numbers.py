import re
import sys
from itertools import combinations
from unicodedata import normalize, numeric

import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.groups.numbers import _simplified, names_percent, numbers_in

# Of each row all are the same number, and no two rows have one.
NUMBERS = [
    ["5", "five", "+5", "5th", "fifth", "5.0", "5.00", "٥", "５", "५", "fünf 5"],
    ["-5", "−5", "(-5)", "minus 5", "minus five", "-5.0", "negative five"],
    ["5%", "5 %", "5 percent", "five per cent", "5٪", "5％"],
    ["5‰"],
    ["-5%", "minus five percent"],
    ["15"],
    ["0.5", ".5"],
    ["05"],
    # May be a decimal, or two numbers.
    ["1,5"],
    ["1.5"],
    # An amount, or a version.
    ["1.50"],
    ["1.500"],
    ["1500", "1,500", "1 500", "1’500", "1,500.00", "1.500,00", "one thousand five hundred"],
    ["1,500,000", "1 500 000", "1.5 million", "1500 thousand", "1\u202f500\u202f000"],
    ["1.500.000"],
    ["1.5 billion"],
    ["12345678901234567"],
    ["12345678901234568"],
    ["1.0.0"],
    ["1.0.1"],
    ["192.168.0.1"],
    ["192.168.0.11"],
    ["2026-11-12", "2026–11–12"],
    ["2026-12-11"],
    ["12.11.2026"],
    ["12/11/2026"],
    ["9:30", "09:30"],
    ["9:03"],
    ["9.30"],
    ["21:30"],
    ["1/2", "½", "1⁄2"],
    ["2/1"],
    ["1 1/2", "1½", "1 ½"],
    ["1/3"],
    ["10²", "10^2"],
    ["10³"],
    ["10⁻³", "10^-3"],
    ["102"],
    ["1e5", "1E+5"],
    ["1e-5"],
    ["三十"],
    ["十三"],
    ["Ⅳ"],
    ["①"],
    ["⑴"],
    ["20", "twenty", "twentieth"],
    ["21", "twenty-one", "twenty one", "21st", "twenty-first"],
    ["200", "two hundred", "2 hundred"],
    ["24", "two dozen"],
    ["205", "two hundred and five", "two hundred five"],
    ["2000000", "two million", "2 million"],
    ["2020", "two thousand and twenty"],
]


def test_equal_numbers_are_equal_strings() -> None:
    found = []
    for row in NUMBERS:
        read = {tuple(numbers_in(f"It is {text}.")) for text in row}
        assert len(read) == 1, (row, read)
        found += read
        assert all(len(numbers) == 1 for numbers in read), read
    for (row, numbers), (other, others) in combinations(zip(NUMBERS, found, strict=True), 2):
        assert numbers != others, (row, other)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It ended in 1945.", ["1945"]),
        ("9am", ["9"]),
        ("Twenty-nine days, or 28", ["29", "28"]),
        ("1,492 people and 2.5 dogs", ["1492", "2.5"]),
        ("Room 20, row twenty-one", ["20", "21"]),
        ("twenty, one and twenty and one", ["20", "1", "20", "1"]),
        ("one two three", ["1", "2", "3"]),
        ("nineteen forty-five", ["19", "45"]),
        ("five hundred thousand, six million", ["500000", "6000000"]),
        ("the hundredth of three thirds", ["100", "3", "3"]),
        ("It took 30 seconds", ["30"]),
        ("nobody, someone, tent", []),
        ("3-5 days, $3-$5, 5%-7% or 5€-7€", ["3", "5", "3", "5", "5%", "7%", "5", "7"]),
        ("an F-16, a Boeing 747-400, COVID-19", ["16", "747", "400", "19"]),
        ("10 - 5 and x=-5, [-5,-3], -$5, $-5", ["10", "5", "-5", "-5", "-3", "-5", "-5"]),
        ("-½ or --5", ["-1/2", "5"]),
        ("0 or -0, agent 007", ["0", "0", "007"]),
        ("Version 1.0.1-rc2, 1.5×10³ m²", ["1.0.1", "2", "1.5", "10^3", "^2"]),
        ("1,2,3 and 1, 2", ["1,2,3", "1", "2"]),
        ("in 2020 300 came", ["2020", "300"]),
        ("1 0000 or 1,00,000", ["1", "0000", "1,00,000"]),
        ("1.2345678 million, 0.5 thousand, 1,5 million", ["1234567.8", "500", "1,5e6"]),
        ("5 1/2/2020", ["5", "1/2/2020"]),
    ],
)
def test_numbers_of_a_text(text: str, numbers: list[str]) -> None:
    assert numbers_in(text) == numbers


def test_ordinals_of_words_can_be_left_out() -> None:
    assert numbers_in("the first of 2, the twenty-third, 3rd", ordinals=False) == ["2", "3"]


def test_a_text_names_percent() -> None:
    assert names_percent("What percentage is water?")
    assert names_percent("How many ％?")
    assert not names_percent("How many permits?")


@given(st.integers(0, 10**15 - 1))
def test_every_whole_number_is_read_in_words_and_with_marks(number: int) -> None:
    for text in (in_words(number), f"{number:,}", f"{number:,}".replace(",", " "), f"{number}."):
        assert numbers_in(text) == [str(number)]


def is_numeral(sign: str) -> bool:
    """Whether a sign is a number that is no ASCII digit."""
    return not sign.isascii() and numeric(sign, None) is not None


# What Unicode takes for three signs or more: "ﷺ" for 18, "㍿" for four letters, "㏂" for "a.m.".
LONG = [
    sign
    for sign in map(chr, range(sys.maxunicode + 1))
    if len(normalize("NFKC", sign)) > 2 and not any(map(is_numeral, sign + normalize("NFKC", sign)))
]


@pytest.mark.parametrize("before", ["", "5", "5 ", "one ", "minus ", ".", "$"])
def test_signs_that_stand_for_many_are_read_as_those(before: str) -> None:
    for sign in LONG:
        for after in ("", "5", ".5", " five", "%", "e5"):
            written = f"{before}{normalize('NFKC', sign)}{after}"
            assert numbers_in(f"{before}{sign}{after}") == numbers_in(written), (sign, after)


def test_signs_without_a_number_are_read_as_two_at_most() -> None:
    """No other thread runs while a long text is searched, and one sign may stand for 18."""
    for sign in LONG:
        if not re.search("[0-9A-Za-z]", normalize("NFKC", sign)):
            assert len(_simplified(sign * 100)) <= 200


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(numbers_in(text))


def in_words(number: int) -> str:
    """Return a number as one writes it out."""
    small = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen"
    )
    tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    for name, value in (
        ("trillion", 10**12),
        ("billion", 10**9),
        ("million", 10**6),
        ("thousand", 1000),
        ("hundred", 100),
    ):
        if number >= value:
            whole, rest = divmod(number, value)
            return f"{in_words(whole)} {name}" + (f" and {in_words(rest)}" if rest else "")
    if number < 20:
        return small.split()[number]
    return tens.split()[number // 10 - 2] + (f"-{in_words(number % 10)}" if number % 10 else "")
