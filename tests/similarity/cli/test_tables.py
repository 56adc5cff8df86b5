import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.cli.tables import digits_to_tell


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
    assert digits_to_tell(values, borders) == digits


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_printed_is_on_the_side_of_its_border(value: float, border: float) -> None:
    digits = digits_to_tell((value,), (border,))
    printed, beside = float(f"{value:.{digits}f}"), float(f"{border:.{digits}f}")
    if abs(value - border) > 1e-8:
        assert (printed < beside) == (value < border)
        assert (printed > beside) == (value > border)
