"""Words of others, as they may be shown: in a message, a log or a table, on any terminal."""


def encodable(text: str) -> str:
    """Return a text as UTF-8 can have it: half a character and a byte of no character, escaped.

    In JSON the escape is read back as what it stands for.
    """
    return text.encode(errors="backslashreplace").decode()


def printable(text: str) -> str:
    """Return a text with all that is not printable escaped, as in `repr`.

    Control characters would move a terminal's cursor or begin a line that looks like another's.
    Marks that turn the direction of writing are escaped too.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
