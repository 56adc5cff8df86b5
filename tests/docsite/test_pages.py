"""What is read out of a page."""

from pathlib import Path

from docsite.pages import ROOT, anchors, blocks, links, sentences

PAGE = """\
# A title

Some words with `code. In it` and [a link](other.md#there). Then another
sentence! [A third](x.md) e.g. this one, by J. Smith.

| a | table |
|---|---|

1. An item
   goes on.
2. Another.

```sh
echo "# no heading [no link](none.md)."
```

## Of `code` and "quotes" {#given}
"""


def test_sentences_are_of_prose_alone() -> None:
    assert sentences(PAGE) == [
        "Some words with `code` and [a link].",
        "Then another sentence!",
        "[A third] e.g. this one, by J. Smith.",
        "An item goes on.",
        "Another.",
    ]


def test_links_and_anchors() -> None:
    assert links(PAGE) == ["other.md#there", "x.md"]
    assert {"a-title", "given"} <= anchors(PAGE)
    assert "no-heading-no-link" not in anchors(PAGE)


def test_a_block_in_a_list_loses_its_indent(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("1. So:\n\n   ```sh\n   one\n     two\n   ```\n", encoding="utf-8")
    (block,) = blocks(page)
    assert (block.line, block.language, block.text) == (3, "sh", "one\n  two\n")


def test_a_block_says_where_it_stands() -> None:
    first = next(blocks(ROOT / "README.md"))
    assert first.name.startswith("README.md:")
