import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.cli.tables import digits_to_compare, one_line


@pytest.mark.parametrize(
    ("values", "borders", "digits"),
    [
        ((0.985, 0.978), (0.879, 0.94), 3),
        ((0.87946, 0.561), (0.87937, 0.94), 4),
        # A value on its border.
        ((0.879, 0.5), (0.879,), 3),
        ((-0.00004, 2.0), (0.0,), 5),
        ((0.1 + 0.2,), (0.3,), 9),
    ],
)
def test_digits_that_show_a_side(
    values: tuple[float, ...], borders: tuple[float, ...], digits: int
) -> None:
    assert digits_to_compare(values, borders) == digits


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_printed_is_on_the_side_of_its_border(value: float, border: float) -> None:
    digits = digits_to_compare((value,), (border,))
    printed, beside = float(f"{value:.{digits}f}"), float(f"{border:.{digits}f}")
    if abs(value - border) > 1e-8:
        assert (printed < beside) == (value < border)
        assert (printed > beside) == (value > border)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # Both kinds of quotation marks stand as they are.
        ('Can\'t "help"', 'Can\'t "help"'),
        ("one\ntwo\ttabs", "one\\ntwo\\ttabs"),
        ("\x1b[31mred [bold]", "\\x1b[31mred [bold]"),
        ("\u202efiles", "\\u202efiles"),
        ("Größe ひ", "Größe ひ"),
    ],
)
def test_what_a_model_wrote_stands_on_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown
