"""Pictures of matrices and groups; matplotlib is imported where one is drawn."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from similarity.cli.apart import note_written
from similarity.errors import ConfigError, InputError
from similarity.extras import optional_module
from similarity.groups.clustering import Clustering
from similarity.printable import encodable
from similarity.results import SimilarityMatrix
from similarity.storage.files import check_place
from similarity.tabular.formats import STANDARD
from similarity.tabular.writing import replace_output

PICTURES = (".png", ".svg", ".pdf")
# More labels than this cannot be read beside a picture.
_MOST_LABELS = 60
_LABEL_LENGTH = 40
# Darker is more alike, as on the page of the service.
COLOURS = "Blues"

plot_option = click.option(
    "--plot",
    metavar="FILE",
    callback=note_written,
    help=f"Draw the similarities into this file, {', '.join(PICTURES)}, beside the output.",
)


@contextmanager
def after(out: str | None) -> Iterator[None]:
    """Say of a picture that cannot be written that the output, if it is a file, is there."""
    try:
        yield
    except InputError as error:
        there = "" if out in (None, STANDARD) else f"; {out} is written, and the picture is not"
        raise InputError(f"{error}{there}") from error


def check_plot(path: str | None) -> None:
    """Refuse a picture that could not be drawn or written.

    Raises
    ------
    ConfigError
        If the ending is of no picture.
    InputError
        If no file can be written there.
    MissingDependencyError
        If matplotlib is not installed.
    """
    if path is None:
        return
    if Path(path).suffix.lower() not in PICTURES:
        raise ConfigError(f"--plot wants a file that ends in {', '.join(PICTURES)}, got {path}")
    check_place(Path(path))
    _figure()


def draw_heat(result: SimilarityMatrix, path: str) -> None:
    """Draw similarities as colours on one scale from 0 to 1.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    figure, _ = _heat(result)
    save_figure(figure, path)


def draw_groups(result: SimilarityMatrix, found: Clustering, path: str) -> None:
    """Draw the similarities of texts group by group, with a frame around each group.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    place = {i: number for number, i in enumerate(found.order)}
    groups = [sorted(group, key=place.__getitem__) for group in found.groups]
    order = [i for group in sorted(groups, key=lambda group: place[group[0]]) for i in group]
    texts = tuple(result.rows[i] for i in order)
    figure, axes = _heat(
        replace(
            result,
            rows=texts,
            columns=texts,
            distances=result.distances[np.ix_(order, order)],
            similarities=result.similarities[np.ix_(order, order)],
        )
    )
    rectangle = optional_module("matplotlib.patches", "pictures need").Rectangle
    corners = [order.index(group[0]) + 0.5 for group in groups]
    for group, corner in zip(groups, corners, strict=True):
        frame = rectangle((corner, corner), len(group), len(group), fill=False, color="red")
        axes.add_patch(frame)
    if len(order) > _MOST_LABELS:
        sizes = [len(group) for group in groups]
        _number_groups(axes, corners, sizes)
    save_figure(figure, path)


def _number_groups(axes: Any, corners: Sequence[float], sizes: Sequence[int]) -> None:
    """Write the numbers that groups have in the table at their middles, where there is room."""
    least = sum(sizes) / _MOST_LABELS
    shown = [
        (corner + size / 2, str(number))
        for number, (corner, size) in enumerate(zip(corners, sizes, strict=True), 1)
        if size >= least
    ]
    places, numbers = [place for place, _ in shown], [number for _, number in shown]
    axes.set_xticks(places, numbers)
    axes.set_yticks(places, numbers)
    axes.set(xlabel="group", ylabel="group")


def _heat(result: SimilarityMatrix) -> tuple[Any, Any]:
    """Return a figure and its axes."""
    rows, columns = result.similarities.shape
    figure = _figure()(figsize=(4 + min(columns, 60) / 4, 3 + min(rows, 60) / 4))
    axes = figure.add_subplot()
    image = axes.imshow(
        result.similarities,
        vmin=0,
        vmax=1,
        cmap=COLOURS,
        aspect="auto",
        # The first text is number 1, as in the tables.
        extent=(0.5, columns + 0.5, rows + 0.5, 0.5),
    )
    figure.colorbar(image, ax=axes, label="similarity")
    if rows <= _MOST_LABELS:
        axes.set_yticks(range(1, rows + 1), [_label(text) for text in result.rows])
    if columns <= _MOST_LABELS:
        labels = [_label(text) for text in result.columns]
        axes.set_xticks(range(1, columns + 1), labels, rotation=90)
    return figure, axes


def save_figure(figure: Any, path: str) -> None:
    """Write a figure whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    ending = Path(path).suffix.lower().removeprefix(".")

    def write(new: Path) -> None:
        figure.savefig(new, format=ending, dpi=150, bbox_inches="tight")

    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph")
        replace_output(path, write)


def _figure() -> Any:
    # Without pyplot no window and no display is needed.
    return optional_module("matplotlib.figure", "pictures need").Figure


def _label(text: str) -> str:
    line = encodable(" ".join(text.split())).replace("$", r"\$")
    return line if len(line) <= _LABEL_LENGTH else f"{line[: _LABEL_LENGTH - 1]}…"
