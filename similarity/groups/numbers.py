"""The numbers in a text, as strings that are equal where the numbers are.

What may be read in two ways stays as it is written, and is equal to neither: "1,5" may be a decimal
or a list, "3.10" an amount or a version. For where two numbers are taken for one, a text is lost.
Where one is taken for two, a text too many is kept.
"""

import re
import unicodedata
from functools import lru_cache

from similarity.groups.number_words import FACTOR, RUN, values, zeros

# Before a numeral that is no digit, such as 三: it stays as it is.
_NUMERAL = "\ue000"
# Before a fraction that is one character, which is added to digits before it.
_FRACTION = "\ue001"
# A hyphen is a minus only where a number may begin: "-5", "(-5", and neither "3-5" nor "F-16".
_SIGN = r"""\b(?:minus|negative)\s++ | (?<![^\s(\[{<>=≤≥≈~*|:;,"'“‘«„±])[-−–‒+]"""
_DIGITS = r"""
      [1-9]\d{0,2}(?:[ '’]\d{3})++(?!\d)(?:[.,]\d++)?    # 12 000.50
    | \d++(?:[-‐–]\d++){2,}                              # 2026-11-26
    | \d++[ ]\d++/\d++(?![/\d])                          # 1 1/2
    | \d++(?:[.,:/]\d++)*+                               # 5; 2.5; 1.0.1; 10:30; 1/2
    | (?<![\w.])\.\d++                                   # .5
"""
_NUMBER = re.compile(
    rf"""
    (?P<sign>{_SIGN})?
    (?: (?: (?<!\d)[$€£¥₹](?P<inner>[-−])? )?
        (?P<digits>{_DIGITS})
        (?P<power>\^[-−+]?\d++|e[-+]?\d++(?!\w))?
        (?P<factors>(?:[\s-]?{FACTOR})*+)
      | (?P<words>{RUN})
      | (?P<as_written>\^[-−+]?\d++|(?:{_NUMERAL}.)++)
    )
    (?P<share>\s?(?:%|‰|per[ ]?cent\b))?
    """,
    re.VERBOSE,
)
_PERCENT = re.compile(r"%|\bper ?cent")
_BY_COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
# Where both marks stand, the last is that of decimals.
_BY_DOTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d+")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_LIKE_ASCII = {"٫": ".", "٬": ",", "٪": "%", "⁄": "/"}


def numbers_in(text: str, *, ordinals: bool = True) -> list[str]:
    """Return the numbers in a text, in order: of digits in any script, or of English words.

    Equal numbers are equal strings. Versions, dates, times and fractions are one number each.

    Parameters
    ----------
    ordinals
        Whether to return those of words too, such as "first".
    """
    found = []
    for match in _NUMBER.finditer(_simplified(text)):
        if match["words"]:
            read = [
                str(value) for value, ordinal in values(match["words"]) if ordinals or not ordinal
            ]
        else:
            read = [(match["as_written"] or _of_digits(match)).replace(_NUMERAL, "")]
        if read and _is_minus(match) and read[0].strip("0.,"):
            read[0] = f"-{read[0]}"
        if read and match["share"]:
            read[-1] += "‰" if "‰" in match["share"] else "%"
        found += read
    return found


def names_percent(text: str) -> bool:
    """Return whether a text names per cent, by the word or the sign."""
    return _PERCENT.search(_simplified(text)) is not None


def _is_minus(match: re.Match[str]) -> bool:
    sign = match["sign"] or match["inner"]
    return sign is not None and sign != "+"


def _of_digits(match: re.Match[str]) -> str:
    number = _plain(match["digits"])
    if match["factors"]:
        number = _multiplied(number, zeros(match["factors"]))
    return number + (match["power"] or "").replace("−", "-").replace("+", "")


def _plain(digits: str) -> str:
    """Return digits without marks between thousands, ".0" and the zero before an hour."""
    if " " in digits and "/" in digits:
        return digits
    digits = re.sub("[ '’]", "", digits)
    if _BY_COMMAS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _BY_DOTS.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    if digits.startswith("."):
        digits = f"0{digits}"
    digits = re.sub(r"^0(?=\d:)", "", digits)
    digits = re.sub("[‐–]", "-", digits)
    # ".000" may be thousands.
    return re.sub(r"^(\d+)\.0{1,2}$", r"\1", digits)


def _multiplied(number: str, power: int) -> str:
    """Return a number times a power of ten, to the last digit."""
    if not _PLAIN.fullmatch(number):
        return f"{number}e{power}"
    whole, _, part = number.partition(".")
    part = part.ljust(power, "0")
    moved = (whole + part[:power]).lstrip("0") or "0"
    rest = part[power:].rstrip("0")
    return f"{moved}.{rest}" if rest else moved


def _simplified(text: str) -> str:
    """Return a text in lower case, with what ASCII has for digits, marks, powers and fractions."""
    if not text.isascii():
        text = "".join(map(_character, text))
        # Each raised sign has a mark of its own: one is enough for a power.
        text = re.sub(r"(?<=\^.)\^", "", text)
        text = re.sub(rf"(?<=\d){_FRACTION}", " ", text).replace(_FRACTION, "")
    return text.casefold()


@lru_cache(maxsize=1 << 12)
def _character(character: str) -> str:
    if unicodedata.category(character) == "Co":
        return " "  # no sign of a script, and ours would be taken for theirs
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    form = unicodedata.decomposition(character).partition(" ")[0]
    if form == "<super>":
        return "^" + unicodedata.normalize("NFKC", character)
    if form == "<fraction>":
        return _FRACTION + unicodedata.normalize("NFKC", character).replace("⁄", "/")
    if unicodedata.numeric(character, None) is not None and form != "<sub>":
        return _NUMERAL + character
    normal = unicodedata.normalize("NFKC", character)
    return _LIKE_ASCII.get(normal, _ends_alone(normal))


def _ends_alone(normal: str) -> str:
    """Return the first and the last of signs that are no part of a number, else all of them.

    A number sees only what it stands beside, and one sign may have become 18.
    """
    if len(normal) < 2 or any(sign.isascii() and sign.isalnum() for sign in normal):
        return normal
    return normal[0] + normal[-1]
