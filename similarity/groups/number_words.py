"""English number words and what they are worth: "two hundred and five", "twenty-first"."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_SMALL_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_FACTORS = {"dozen": 12, **{name: 10**power for name, power in _POWERS.items()}}
_CARDINALS = {
    **{name: value for value, name in enumerate(_SMALL.split())},
    **{name: 10 * value for value, name in enumerate(_TENS.split(), start=2)},
    **_FACTORS,
    **{f"{name}s": value for name, value in _FACTORS.items()},
}
_ORDINALS = {
    **{name: value for value, name in enumerate(_SMALL_ORDINALS.split(), start=1)},
    **{f"{name[:-1]}ieth": 10 * value for value, name in enumerate(_TENS.split(), start=2)},
    **{f"{name}th": value for name, value in _FACTORS.items()},
}
# "Two thirds"; but seconds are of time.
_FRACTIONS = {f"{name}s": value for name, value in _ORDINALS.items() if value > 2}
_VALUES = _CARDINALS | _ORDINALS | _FRACTIONS


def _any_of(names: Iterable[str]) -> str:
    return rf"(?:{'|'.join(sorted(names, key=len, reverse=True))})\b"


# Words that follow each other as in a number, and one that multiplies digits: "5 million".
RUN = rf"\b{_any_of(_VALUES)}(?:(?:[-‐–]|\s++(?:and\s++)?){_any_of(_VALUES)})*+"
FACTOR = rf"(?:{'|'.join(_POWERS)})s?\b"


def zeros(factors: str) -> int:
    """Return how many zeros such words add to digits: 6 for "million"."""
    return sum(_POWERS[name] for name in re.findall("|".join(_POWERS), factors))


def values(run: str) -> list[tuple[int, bool]]:
    """Return the numbers of a RUN of words in lower case, each with whether it is an ordinal."""
    numbers = [_Number()]
    for word in re.split(r"[-‐–\s]+", run):
        if not numbers[-1].takes(word):
            numbers.append(_Number())
            numbers[-1].takes(word)
    return [(number.whole + number.part, number.ordinal) for number in numbers]


@dataclass
class _Number:
    """A number while its words are read.

    Parameters
    ----------
    whole
        Its thousands, millions and so on.
    part
        What is below the last of these.
    room
        What is added next must be below.
    least
        So must the next of thousand, million and so on.
    """

    whole: int = 0
    part: int = 0
    room: float = inf
    least: float = inf
    ordinal: bool = False

    def takes(self, word: str) -> bool:
        """Take in a word, or return False where another number begins."""
        if word == "and":
            # "A hundred and five" is one number, "twenty and five" are two.
            self.room = self.room if self.room >= 100 else 0
            return True
        value, begun = _VALUES[word], self.room < inf
        if value >= 1000:
            if value >= self.least or (begun and not self.part):
                return False
            self.whole, self.part = self.whole + max(self.part, 1) * value, 0
            self.room, self.least = 1000, value
        elif word.startswith(("dozen", "hundred")):
            if begun and not 0 < self.part < 100:
                return False
            self.part, self.room = max(self.part, 1) * value, value if value == 100 else 0
        else:
            if begun and not 0 < value < self.room:
                return False
            self.part, self.room = self.part + value, 10 if value >= 20 else 0
        if word not in _CARDINALS:
            self.ordinal, self.room, self.least = True, 0, 0
        return True
