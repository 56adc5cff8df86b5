"""Pictures of matrices and groups; matplotlib is imported where one is drawn."""

import warnings
from pathlib import Path
from typing import Any

import click

from similarity.errors import ConfigError, InputError
from similarity.extras import optional_module
from similarity.results import SimilarityMatrix
from similarity.tabular.writing import replace_output

PICTURES = (".png", ".svg", ".pdf")
# More labels than this cannot be read beside a picture.
_MOST_LABELS = 60
_LABEL_LENGTH = 40

plot_option = click.option(
    "--plot", metavar="FILE", help=f"Draw the matrix into this file: {', '.join(PICTURES)}."
)


def check_plot(path: str | None) -> None:
    """Refuse a picture that could not be drawn or written.

    Raises
    ------
    ConfigError
        If the ending is of no picture.
    InputError
        If there is no such folder.
    MissingDependencyError
        If matplotlib is not installed.
    """
    if path is None:
        return
    if Path(path).suffix.lower() not in PICTURES:
        raise ConfigError(f"--plot wants a file that ends in {', '.join(PICTURES)}, got {path}")
    if not Path(path).parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {Path(path).parent}")
    _figure()


def draw_heat(result: SimilarityMatrix, path: str) -> None:
    """Draw similarities as colours on one scale from 0 to 1.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    rows, columns = result.similarities.shape
    figure = _figure()(figsize=(4 + min(columns, 60) / 4, 3 + min(rows, 60) / 4))
    axes = figure.add_subplot()
    image = axes.imshow(result.similarities, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    figure.colorbar(image, ax=axes, label="similarity")
    if rows <= _MOST_LABELS:
        axes.set_yticks(range(rows), [_label(text) for text in result.rows])
    if columns <= _MOST_LABELS:
        axes.set_xticks(range(columns), [_label(text) for text in result.columns], rotation=90)
    save_figure(figure, path)


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
    line = " ".join(text.split()).replace("$", r"\$")
    return line if len(line) <= _LABEL_LENGTH else f"{line[: _LABEL_LENGTH - 1]}…"
