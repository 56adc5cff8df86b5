"""The log: newest first, a result in front of each entry, a table of contents that is whole."""

import re

from docsite.pages import DOCS

LOG = (DOCS / "log.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## (.*)$", LOG, re.MULTILINE)


def test_entries_are_dated_and_the_newest_is_first() -> None:
    dates = [re.match(r"\d{4}-\d\d-\d\d: ", heading) for heading in HEADINGS]
    assert all(dates)
    assert sorted(HEADINGS, key=lambda heading: heading[:10], reverse=True) == HEADINGS


def test_every_entry_begins_with_its_result() -> None:
    for heading in HEADINGS:
        body = LOG.split(f"## {heading}\n")[1]
        assert re.match(r"\n\*\*[^*\n]+\.\*\*\n", body), heading


def test_the_table_of_contents_is_whole() -> None:
    assert re.findall(r"^- \[(\d{4}.*)\]\(#", LOG, re.MULTILINE) == HEADINGS
