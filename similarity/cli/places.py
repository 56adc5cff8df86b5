"""What a command says of an error: where the text is that it is about, and the option that helps.

The library names neither files nor options. Nothing heavy is imported here, as every command does.
"""

from collections.abc import Iterable

import click

from similarity.errors import InputError, TextTooLongError, TrajsimError

# Of a command's context: texts with their places, and whether --truncate helps.
_PLACES, _TRUNCATES = "trajsim.places", "trajsim.truncates"


def note_places(texts: Iterable[str], places: Iterable[str]) -> None:
    """Remember where texts are, for what is said of one later; a text is where it is first.

    White space around it is no part of a text.
    """
    context = click.get_current_context(silent=True)
    if context is not None:
        known = context.meta.setdefault(_PLACES, {})
        for text, place in zip(texts, places, strict=True):
            known.setdefault(text.strip(), place)


def note_truncate(context: click.Context, _option: click.Parameter, value: str) -> str:
    """Remember that texts are refused which can be cut, and return the way: a callback of click."""
    context.meta[_TRUNCATES] = value == "refuse"
    return value


def said(context: click.Context, error: TrajsimError) -> str:
    """Return one line about an error, in the words of the command line."""
    line = " ".join(str(error).split())
    if isinstance(error, TextTooLongError):
        cut = "give --truncate end" if context.meta.get(_TRUNCATES) else ""
        line = line.replace(f", or {error.HAVE_CUT}", f", or {cut}" if cut else "")
        line = line.replace("lower max_tokens to", "lower --max-tokens to")
    place = _place_of(context, error)
    return line if place is None else f"{place}: {line}"


def _place_of(context: click.Context, error: TrajsimError) -> str | None:
    if not isinstance(error, InputError) or error.text is None:
        return None
    place: str | None = context.meta.get(_PLACES, {}).get(error.text.strip())
    return place
