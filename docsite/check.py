"""Looks for dead links in the documentation, without a network: files and anchors.

Run as `python -m docsite.check`, which is part of `make check`. It ends with 1 if a link is dead.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from docsite.pages import REFERENCE, ROOT, anchors, links, written_pages
from docsite.reference import reference_pages


def dead_links(texts: Mapping[Path, str]) -> Iterator[str]:
    """Yield each link that leads nowhere, in the site or in a clone, as page and target.

    Parameters
    ----------
    texts
        All pages by path, those that are made of the code among them.
    """
    for page, text in texts.items():
        for link in links(text):
            if "://" in link or link.startswith("mailto:"):
                continue
            target, _, anchor = link.partition("#")
            path = Path(os.path.normpath(page.parent / target)) if target else page
            if REFERENCE in path.parents and REFERENCE not in page.parents:
                yield f"{page.relative_to(ROOT)}: {link} (`make docs` makes it: no clone has it)"
            elif path in texts:
                if anchor and anchor not in anchors(texts[path]):
                    yield f"{page.relative_to(ROOT)}: {link} (there is no such heading)"
            elif not path.exists():
                yield f"{page.relative_to(ROOT)}: {link} (there is no such file)"


def all_texts() -> dict[Path, str]:
    """Return the text of each page by path, written or made of the code."""
    texts = {page: page.read_text(encoding="utf-8") for page in written_pages()}
    return texts | {REFERENCE / name: text for name, text in reference_pages().items()}


def main() -> None:
    """Print dead links; end with 1 if there are any."""
    dead = list(dead_links(all_texts()))
    for line in dead:
        print(line, file=sys.stderr)
    sys.exit(1 if dead else 0)


if __name__ == "__main__":
    main()
