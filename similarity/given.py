"""Lists of texts as a caller gives them: checked before anything reads them.

One text is no list of its letters. What is compared is a text or, where the model reads images, an
image. Where it says text below, an image may stand too.
"""

from collections.abc import Iterable, Mapping, Sequence

from similarity.errors import InputError
from similarity.images.image import Content, Image, as_read

Pair = tuple[Content, Content]
TextPair = tuple[str, str]


def given_texts(texts: Iterable[Content], name: str = "texts") -> list[Content]:
    """Return texts and images as a list, which may come one by one.

    Parameters
    ----------
    name
        Of the argument.

    Raises
    ------
    InputError
        If they are none: one text alone, or something else among them.
    """
    check_several(texts, name)
    found = list(texts)
    for text in found:
        if not isinstance(text, str | Image):
            raise InputError(
                f"a text must be a string, or an image of similarity.images.sources, got "
                f"{shown(text)}{_remedy(text)}"
            )
    return found


def read_once(texts: Iterable[Content]) -> tuple[list[Content], dict[Content, int]]:
    """Return texts of which no two are read alike, and the place among them of each text given.

    Those that differ by white space around them alone are read alike: the first of them stays.
    """
    distinct: list[Content] = []
    known: dict[Content, int] = {}
    places: dict[Content, int] = {}
    for text in texts:
        places[text] = known.setdefault(as_read(text), len(known))
        if len(known) > len(distinct):
            distinct.append(text)
    return distinct, places


def check_several(texts: object, name: str = "texts") -> None:
    """Raise InputError if this is one text, or of a kind that has none, and no list of them."""
    if _has_columns(texts):
        raise InputError(
            f"{name} must be a list of them, got a {type(texts).__name__} of columns; give the "
            "values of one column, as a list"
        )
    _check_order(texts, name)
    if _is_one(texts):
        raise InputError(f"{name} must be a list of them, got {shown(texts)}")


def check_ids(ids: Sequence[str] | None, number: int) -> None:
    """Raise InputError if so many texts have names, and these are no list of as many."""
    if ids is None:
        return
    check_several(ids, "ids")
    check_as_many("texts", number, "ids", len(ids))


def check_as_many(name: str, number: int, other: str, count: int) -> None:
    """Raise InputError unless of two lists that go together one is as long as the other."""
    if number != count:
        raise InputError(f"there are {number} {name} and {count} {other}; give one each")


def given_strings(texts: Iterable[Content]) -> list[str]:
    """Return texts as a list, which may come one by one.

    Raises
    ------
    InputError
        If they are none, or one is an image.
    """
    found = given_texts(texts)
    image = next((text for text in found if isinstance(text, Image)), None)
    if image is not None:
        raise InputError(f"a text must be a string here, got the image {image.name!r}")
    return [str(text) for text in found]


def given_pairs(pairs: Iterable[Pair | TextPair]) -> list[Pair]:
    """Return pairs of texts or images as a list, which may come one by one.

    Raises
    ------
    InputError
        If one is not two texts.
    """
    check_pairs(pairs)
    return [_given_pair(pair) for pair in pairs]


def check_pairs(pairs: object) -> None:
    """Raise InputError if this is one text, or of a kind that has no pairs, and no list of them."""
    if _has_columns(pairs):
        raise InputError(
            f"pairs must be a list of pairs of texts, got a {type(pairs).__name__} of columns; "
            "give list(zip(first, second)) of the two that have the texts"
        )
    _check_order(pairs, "pairs")
    if _is_one(pairs):
        raise InputError(f"pairs must be a list of pairs of texts, got {shown(pairs)}")


def check_pair(pair: object) -> None:
    """Raise InputError if this is one text, or of a kind that has none, and no pair of texts."""
    if _is_one(pair) or isinstance(pair, Mapping):
        raise InputError(f"a pair must be two texts, got {shown(pair)}")
    _check_order(pair, "a pair")


def given_matrix(
    rows: Iterable[Content], columns: Iterable[Content] | None
) -> tuple[list[Content], list[Content] | None]:
    """Return the rows and columns of a matrix as lists; raises InputError as `given_texts` does."""
    return given_texts(rows, "rows"), None if columns is None else given_texts(columns, "columns")


def given_text_pairs(pairs: Iterable[TextPair]) -> list[TextPair]:
    """Return pairs of texts as a list; raises InputError as `given_pairs` and `given_strings`."""
    texts = [given_strings([first, second]) for first, second in given_pairs(pairs)]
    return [(first, second) for first, second in texts]


def _given_pair(pair: Pair | TextPair) -> Pair:
    check_pair(pair)
    texts = given_texts(pair)
    if len(texts) != 2:
        raise InputError(f"a pair must be two texts, got {shown(pair)}")
    return texts[0], texts[1]


def _has_columns(given: object) -> bool:
    """Return whether this is a table or a mapping: of either, names or columns would be read."""
    return isinstance(given, Mapping) or hasattr(given, "columns")


def _check_order(given: object, name: str) -> None:
    """Raise InputError if this is a set: what is given back is in an order that nobody sees."""
    if isinstance(given, set | frozenset):
        raise InputError(
            f"{name} must be a list, got a {type(given).__name__}, which has no order; give "
            "sorted(…) of it"
        )


def _is_one(given: object) -> bool:
    """Return whether this is one text or image, or something else that has no items."""
    if isinstance(given, str | bytes | bytearray | memoryview | Image):
        return True
    try:
        iter(given)  # type: ignore[call-overload]
    except TypeError:  # also of an array of NumPy without a shape, which has the method
        return True
    return False


def _remedy(given: object) -> str:
    """Return the end of a message that says how values of pyarrow become texts; else ""."""
    return "; give .to_pylist() of an array of pyarrow" if hasattr(given, "as_py") else ""


def shown(value: object) -> str:
    """Return a value as a message shows it: its beginning, in one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:40]}…"
