"""Groups of texts as tables for a person to read."""

from collections.abc import Sequence

from rich.table import Table

from similarity.cli.tables import console, one_line, scale_and_source, words_in_line
from similarity.groups.clustering import Clustering, Duplicates
from similarity.results import SimilarityMatrix


def print_clusters(result: SimilarityMatrix, found: Clustering) -> None:
    """Print the texts of each group, its representative first and marked by a star."""
    table = _table("group", "silhouette")
    for label, (group, middle) in enumerate(
        zip(found.groups, found.representatives, strict=True), 1
    ):
        for i in (middle, *(i for i in group if i != middle)):
            well = "" if found.silhouettes is None else f"{found.silhouettes[i]:+.2f}"
            mark = "*" if i == middle else " "
            table.add_row(str(label), well, f"{mark} {words_in_line(result.rows[i])}")
        table.add_section()
    page = console()
    page.print(table)
    mean = "" if found.silhouette is None else f"; mean silhouette {found.silhouette:+.3f}"
    page.print(f"{len(found.groups)} groups of {len(result.rows)} texts{mean}")
    page.print(one_line(scale_and_source(result.fingerprint)), style="italic")


def print_duplicates(result: SimilarityMatrix, found: Sequence[Duplicates]) -> None:
    """Print the texts that have duplicates, each with these below it."""
    table = _table("number", "similarity", "reason")
    for group in found:
        if group.others:
            kept = f"* {words_in_line(result.rows[group.kept])}"
            table.add_row(str(group.kept + 1), "", "", kept)
            for i, reason in zip(group.others, group.reasons, strict=True):
                alike = f"{result.similarities[group.kept, i]:.4f}"
                table.add_row(str(i + 1), alike, reason, f"  {words_in_line(result.rows[i])}")
            table.add_section()
    page = console()
    if table.row_count:
        page.print(table)
    else:
        page.print("no duplicates")
    page.print(one_line(scale_and_source(result.fingerprint)), style="italic")


def _table(*numbers: str) -> Table:
    table = Table(box=None)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("text", overflow="fold")
    return table
