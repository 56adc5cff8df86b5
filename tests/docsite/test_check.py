"""No link of the documentation is dead, and a dead one is found."""

from docsite.check import all_texts, dead_links
from docsite.pages import DOCS, written_pages


def test_no_link_is_dead() -> None:
    assert list(dead_links(all_texts())) == []


def test_a_dead_link_is_found() -> None:
    page = DOCS / "index.md"
    text = (
        "# Title\n\n[a](none.md) [b](#none) [c](#title) [d](https://nowhere.invalid) `[e](none.md)`"
    )
    assert list(dead_links({page: text})) == [
        "docs/index.md: none.md (there is no such file)",
        "docs/index.md: #none (there is no such heading)",
    ]


def test_a_link_that_is_dead_in_a_clone_is_found() -> None:
    made, written = DOCS / "reference" / "settings.md", DOCS / "index.md"
    texts = {made: "# Settings", written: "[a](reference/settings.md)"}
    assert list(dead_links(texts)) == [
        "docs/index.md: reference/settings.md (`make docs` makes it: no clone has it)"
    ]


def test_the_navigation_has_every_page() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in written_pages():
        if DOCS in page.parents:
            assert f": {page.relative_to(DOCS)}\n" in navigation, page
