"""Names of runs, methods and tasks as parts of the names of files."""

import re
from collections.abc import Iterable
from itertools import chain, count


def slugs(names: Iterable[str]) -> list[str]:
    """Return names without what is awkward in a file's; those that would be alike get a number.

    Names that differ in capitals alone are alike too, as they are one file on some systems.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        first = re.sub(r"[^\w.-]+", "-", name).strip("-") or "_"
        of_number = chain([first], (f"{first}-{number}" for number in count(2)))
        found.append(next(one for one in of_number if one.casefold() not in taken))
        taken.add(found[-1].casefold())
    return found
