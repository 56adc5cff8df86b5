"""`trajsim cluster` and `trajsim dedupe`: groups of like texts in a file."""

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from similarity.cli.apart import note_read
from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_scorer, open_model
from similarity.cli.cluster_tables import print_clusters, print_duplicates
from similarity.cli.images import contents_of, text_option
from similarity.cli.notes import note
from similarity.cli.numbers import FiniteRange
from similarity.cli.options import model_options, scoring_options
from similarity.cli.plots import after, check_plot, draw_groups, plot_option
from similarity.cli.progress import progress_bars, working
from similarity.cli.reading import id_fields, labelled, texts_of
from similarity.cli.tables import print_scale
from similarity.cli.terminal import (
    TABLE,
    chosen_format,
    input_options,
    output_options,
    print_warnings,
)
from similarity.errors import ConfigError
from similarity.groups import clustering
from similarity.groups.clustering import (
    DUPLICATE_THRESHOLD,
    GROUP_THRESHOLD,
    LINKAGES,
    Clustering,
    Duplicates,
    Linkage,
    deduplicate,
)
from similarity.images.image import Content
from similarity.results import SimilarityMatrix
from similarity.room import CLUSTER_PAIR, DEDUPLICATE_PAIR, MATRIX_PAIR, check_all_pairs
from similarity.tabular.records import PlacedTexts
from similarity.tabular.writing import write_rows, write_text

GROUP_FORMATS = ("tsv", "csv", "json", "jsonl", "parquet")
KEPT_FORMATS = ("text", *GROUP_FORMATS)


@click.command()
@click.argument("file", callback=note_read)
@input_options()
@click.option(
    "--threshold",
    type=FiniteRange(0, 1),
    help="Join groups while their similarity is at least this.  "
    f"[default: {GROUP_THRESHOLD} without --k]",
)
@click.option("--k", type=click.IntRange(min=1), help="Join groups until there are so many.")
@click.option(
    "--linkage",
    type=click.Choice(LINKAGES),
    default=LINKAGES[0],
    show_default=True,
    help="Take the mean, the least or the greatest similarity of their texts as that of two "
    "groups: average, complete or single.",
)
@output_options((TABLE, *GROUP_FORMATS))
@plot_option
@text_option
@model_options
@scoring_options
def cluster(
    file: str,
    kind: str | None,
    columns: str | None,
    threshold: float | None,
    k: int | None,
    linkage: Linkage,
    written_as: str | None,
    out: str | None,
    plot: str | None,
    as_texts: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Group the texts in FILE by how alike they are, each group with the text that is its middle.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input. The silhouette of a text shows how well it is placed, from -1 to 1.
    Tables count texts from 1, and JSON from 0.

    A text that is the path of an image stands for the image.

    FILE may be a folder: each .txt and .md file in it is one text, called by its path.
    """
    written_as = chosen_format(written_as, out, GROUP_FORMATS)
    check_plot(plot)
    if threshold is not None and k is not None:
        raise ConfigError("--threshold and --k exclude each other")
    texts = texts_of(file, kind, columns)
    if k is not None and k > len(texts.texts):
        raise ConfigError(f"--k must be at most {len(texts.texts)}, the number of texts, got {k}")
    if threshold is None and k is None:
        threshold = GROUP_THRESHOLD
    check_all_pairs(len(texts.texts), len(texts.texts), MATRIX_PAIR + CLUSTER_PAIR)
    result = _compared(contents_of(texts, choice, as_texts=as_texts), scoring, choice)
    with working("grouping"):
        found = clustering.cluster(
            result.similarities, threshold=threshold, k=k, linkage_by=linkage
        )
    if written_as == TABLE:
        print_clusters(labelled(result, texts), found)
    elif written_as == "json":
        write_text(json.dumps(_clusters(result, found, texts), allow_nan=False) + "\n", out)
    else:
        write_rows(_cluster_rows(result, found, texts), written_as, out)
        print_scale(result.fingerprint)
    if plot is not None:
        with after(out):
            draw_groups(labelled(result, texts), found, plot)


@click.command()
@click.argument("file", callback=note_read)
@input_options()
@click.option(
    "--threshold",
    type=FiniteRange(0, 1),
    default=DUPLICATE_THRESHOLD,
    show_default=True,
    help="Take texts that are at least this similar for the same.",
)
@output_options((TABLE, *KEPT_FORMATS))
@text_option
@model_options
@scoring_options
def dedupe(
    file: str,
    kind: str | None,
    columns: str | None,
    threshold: float,
    written_as: str | None,
    out: str | None,
    as_texts: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Keep one of the texts in FILE that say the same: the first of them.

    Texts that differ in case, white space or the form of characters alone are the same. Texts
    with other numbers are not. For all others the similarity decides. A text that is the path of
    an image stands for the image, of which the similarity alone decides.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input. As text, the texts that are kept are written. The other formats have every
    text, the one that stands for it, and the rule that decided. Tables count texts from 1, and
    JSON from 0.

    FILE may be a folder: each .txt and .md file in it is one text, called by its path. As text,
    the paths of the files that are kept are written.
    """
    written_as = chosen_format(written_as, out, KEPT_FORMATS)
    texts = texts_of(file, kind, columns)
    check_all_pairs(len(texts.texts), len(texts.texts), MATRIX_PAIR + DEDUPLICATE_PAIR)
    contents = contents_of(texts, choice, as_texts=as_texts)
    result = _compared(contents, scoring, choice)
    with working("grouping"):
        found = deduplicate(result.similarities, threshold, contents)
    if written_as == TABLE:
        print_duplicates(labelled(result, texts), found)
    elif written_as == "text":
        # A file of a folder is written by its path, as a text of many lines is none of a list.
        lines = map(_on_one_line, texts.texts) if texts.ids is None else map(_path, texts.ids)
        names = list(lines)
        write_text("".join(f"{names[group.kept]}\n" for group in found), out)
    elif written_as == "json":
        write_text(json.dumps(_duplicates(result, found, texts), allow_nan=False) + "\n", out)
    else:
        write_rows(_duplicate_rows(result, found, texts), written_as, out)
        print_scale(result.fingerprint)
    note(f"kept {len(found)} of {len(texts.texts)} texts")


def _compared(
    contents: Sequence[Content], scoring: ScoringChoice, choice: ModelChoice
) -> SimilarityMatrix:
    """Return the similarities of texts and images among themselves, and print their warnings."""
    scorer = chosen_scorer(open_model(choice), scoring)
    with progress_bars() as progress:
        result = scorer.matrix(contents, None, progress)
    print_warnings(result.warnings)
    return result


def _on_one_line(text: str) -> str:
    """Return a text without ends of lines; all else of it stays, as in the file that it is from."""
    # A carriage return alone is one in the first line of a file, and so in all lines below it.
    return re.sub(r"\r\n|\r|\n", " ", text)


def _path(name: str) -> str:
    """Return the path of a file on one line: with ends of lines as escapes, not as blanks."""
    return name.replace("\n", r"\n").replace("\r", r"\r")


def _clusters(result: SimilarityMatrix, found: Clustering, texts: PlacedTexts) -> dict[str, Any]:
    groups = [
        {
            "representative": middle,
            "members": list(group),
            **({} if texts.ids is None else {"ids": [texts.ids[i] for i in group]}),
            "texts": [result.rows[i] for i in group],
        }
        for group, middle in zip(found.groups, found.representatives, strict=True)
    ]
    return {
        "groups": groups,
        "silhouette": found.silhouette,
        "silhouettes": None if found.silhouettes is None else found.silhouettes.tolist(),
        "scale": result.fingerprint.scale,
        "fingerprint": result.fingerprint.to_dict(),
    }


def _cluster_rows(
    result: SimilarityMatrix, found: Clustering, texts: PlacedTexts
) -> list[dict[str, Any]]:
    return [
        {
            "group": label + 1,
            "number": i + 1,
            "representative": i == middle,
            "silhouette": None if found.silhouettes is None else float(found.silhouettes[i]),
            **id_fields(texts, i),
            "text": result.rows[i],
        }
        for label, (group, middle) in enumerate(
            zip(found.groups, found.representatives, strict=True)
        )
        for i in group
    ]


def _duplicates(
    result: SimilarityMatrix, found: list[Duplicates], texts: PlacedTexts
) -> dict[str, Any]:
    groups = [
        {
            "kept": group.kept,
            **id_fields(texts, group.kept),
            "text": result.rows[group.kept],
            "duplicates": [
                {
                    "number": i,
                    **id_fields(texts, i),
                    "text": result.rows[i],
                    "similarity": float(result.similarities[group.kept, i]),
                    "reason": reason,
                }
                for i, reason in zip(group.others, group.reasons, strict=True)
            ],
        }
        for group in found
    ]
    fingerprint = result.fingerprint
    return {"groups": groups, "scale": fingerprint.scale, "fingerprint": fingerprint.to_dict()}


def _duplicate_rows(
    result: SimilarityMatrix, found: list[Duplicates], texts: PlacedTexts
) -> list[dict[str, Any]]:
    standing = {i: group.kept for group in found for i in (group.kept, *group.others)}
    reasons = {
        i: why for group in found for i, why in zip(group.others, group.reasons, strict=True)
    }
    return [
        {
            "number": i + 1,
            "kept": standing[i] == i,
            "same_as": standing[i] + 1,
            "similarity": float(result.similarities[standing[i], i]),
            "reason": reasons.get(i),
            **id_fields(texts, i),
            "text": text,
        }
        for i, text in enumerate(result.rows)
    ]
