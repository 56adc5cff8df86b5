"""The pages of the documentation, and what stands in one: links, anchors, code and sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_HEADING = re.compile(r"^#+ (.+?)(?: \{#([\w-]+)\})?$", re.MULTILINE)
# What begins a block of its own: a heading, an item, a row of a table, a quotation.
_BEGINNING = re.compile(r"^\s*(#|[*-] |\d+\. |\||>|!!!|\?\?\?|:::|<)")
# A full stop, or its like, before a capital, a digit or code; not after an abbreviation or initial.
_END = re.compile(
    r"(?<=[.!?:])(?<!e\.g\.)(?<!i\.e\.)(?<! [A-Z]\.)[)\"*”]*\s+(?=[\"'“(*\[]*[A-Z0-9`]|')"
)


@dataclass(frozen=True)
class Block:
    """A fenced block of code: its page, the line it begins at, its language and its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Return where it stands, as page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def written_pages() -> list[Path]:
    """Return the pages that people write: README, CONTRIBUTING and all of docs."""
    found = [page for page in sorted(DOCS.rglob("*.md")) if REFERENCE not in page.parents]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *found]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        lines = (row.removeprefix(match[1]) for row in match[3].splitlines())
        yield Block(page, line, match[2], "\n".join(lines) + "\n")


def links(text: str) -> list[str]:
    """Return the targets of a page's links and pictures, outside code."""
    return _LINK.findall(_CODE.sub("", _COMMENT.sub("", _FENCE.sub("", text))))


def anchors(text: str) -> set[str]:
    """Return what links into a page may name: its headings, as the site and forges spell them."""
    found = set()
    for title, given in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", title)
        kept = re.sub(r"[^\w\s-]", "", plain).strip().lower()
        found.add(given or re.sub(r"[\s]+", "-", kept))
        # The site joins what a dropped sign leaves, other renderers keep both hyphens.
        found.add(re.sub(r"\s", "-", kept))
    return found


def sentences(text: str) -> list[str]:
    """Return the sentences of a page's prose: no code, tables, headings or quotations.

    Code in a line counts as one word, and so does the target of a link.
    """
    prose = _COMMENT.sub("", _FENCE.sub("", text))
    paragraphs: list[str] = []
    going_on = False
    for line in prose.splitlines():
        beginning = _BEGINNING.match(line)
        if not line.strip() or (beginning and beginning[1] in ("|", "#", ":::", "<")):
            going_on = False
            continue
        if beginning or not going_on:
            paragraphs.append("")
        paragraphs[-1] += " " + _BEGINNING.sub("", line).strip()
        going_on = True
    found: list[str] = []
    for paragraph in paragraphs:
        said = re.sub(r"\]\([^)\s]+\)", "]", _CODE.sub("`code`", paragraph))
        found += [sentence.strip() for sentence in _END.split(said) if sentence.strip()]
    return found
