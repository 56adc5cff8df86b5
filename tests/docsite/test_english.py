"""What is written is plain English: short sentences, verbs in front, no private metaphors."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docsite.pages import ROOT, sentences, written_pages
from similarity.cli.main import main

LONGEST = 32
# Half of the sentences of a page are no longer than this.
USUAL = 20
# The log is a record, in the words of its day.
PAGES = [page for page in written_pages() if page.name != "log.md"]
PACKAGES = ("similarity", "trajsim", "service", "eval", "docsite")
# How a sentence begins that leans on the name before it.
NO_VERB = frozenset(
    [
        "a",
        "all",
        "an",
        "by",
        "each",
        "every",
        "how",
        "in",
        "it",
        "its",
        "of",
        "on",
        "that",
        "the",
        "their",
        "these",
        "this",
        "those",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "who",
    ]
)
# Metaphors, for which there are terms.
NOT_PLAIN = re.compile(
    r"\b(tells|untold|told of|is told|what is asked|who comes|own letters|doors?|house|seams?|"
    r"in the manner|hold (it|them) together|survives)\b",
    re.IGNORECASE,
)

# What is indented, or drawn as a tree.
_NO_PROSE = re.compile(r"^(    |[│├└]).*$", re.MULTILINE)

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented() -> Iterator[tuple[str, Documented, str]]:
    """Yield every public docstring with its place."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, Documented) and (said := ast.get_docstring(node)):
                    name = getattr(node, "name", "")
                    if not name.startswith("_"):
                        yield f"{path.relative_to(ROOT)}:{name}", node, said


DOCSTRINGS = list(documented())


def test_functions_and_properties_begin_with_a_verb() -> None:
    leaning = [
        f"{place}: {said.splitlines()[0]}"
        for place, node, said in DOCSTRINGS
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and re.split(r"\W", said, maxsplit=1)[0].lower() in NO_VERB
    ]
    assert leaning == []


def test_no_sentence_of_a_docstring_is_too_long() -> None:
    long = [
        f"{place}: {sentence}"
        for place, _, said in DOCSTRINGS
        for sentence in sentences(re.sub(_NO_PROSE, "", re.split(r"\n\w+\n-+\n", said)[0]))
        if len(sentence.split()) > LONGEST + 2
    ]
    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short(page: Path) -> None:
    lengths = {
        sentence: len(sentence.split()) for sentence in sentences(page.read_text(encoding="utf-8"))
    }
    assert {sentence: n for sentence, n in lengths.items() if n > LONGEST} == {}
    assert sum(n > USUAL for n in lengths.values()) <= len(lengths) / 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_words_are_plain(page: Path) -> None:
    text = " ".join(sentences(page.read_text(encoding="utf-8")))
    assert [match[0] for match in NOT_PLAIN.finditer(text)] == []


def helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """Yield the help texts of a command, its options and its commands."""
    if command.help:
        yield name, " ".join(command.help.split())
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield f"{name} {parameter.opts[0]}", parameter.help
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from helps(found, f"{name} {child}")


HELPS = list(helps(main, "trajsim"))


def test_help_begins_with_a_verb() -> None:
    # The settings of the service are named by what they are, as in its documentation.
    own = [(name, said) for name, said in HELPS if not name.startswith("trajsim serve --")]
    assert [name for name, said in own if said.split()[0].lower() in NO_VERB] == []


def test_help_has_short_sentences() -> None:
    # A list of names, between semicolons, is no sentence.
    parts = [(n, s) for n, said in HELPS for one in sentences(said) for s in one.split("; ")]
    assert [part for part in parts if len(part[1].split()) > LONGEST] == []
