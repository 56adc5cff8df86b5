"""`trajsim matrix`: all similarities of the texts in a file."""

from typing import Any

import click

from similarity.cli.matrix_tables import print_matrix
from similarity.cli.options import (
    chosen_scorer,
    comparison_config,
    comparison_options,
    model_options,
    open_model,
    preset_options,
)
from similarity.cli.plots import check_plot, draw_heat, plot_option
from similarity.cli.progress import progress_bars
from similarity.cli.terminal import (
    TABLE,
    chosen_format,
    input_options,
    output_options,
    print_warnings,
)
from similarity.errors import ConfigError
from similarity.tabular.formats import STANDARD
from similarity.tabular.texts import read_texts
from similarity.tabular.writing import WRITE_FORMATS, write_matrix


@click.command()
@click.argument("file")
@click.argument("file2", required=False)
@input_options()
@output_options((TABLE, *WRITE_FORMATS))
@plot_option
@preset_options
@model_options
@comparison_options
def matrix(
    file: str,
    file2: str | None,
    kind: str | None,
    columns: str | None,
    written_as: str | None,
    out: str | None,
    plot: str | None,
    preset: str | None,
    vectors: str | None,
    model_name: str,
    device: str,
    dtype: str,
    **settings: Any,
) -> None:
    """Print all similarities of the texts in FILE, or of those in FILE with those in FILE2.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input. A terminal gets a table, folded where it is too wide; anything else gets TSV.
    """
    config = comparison_config(**settings)
    written_as = chosen_format(written_as, out, WRITE_FORMATS)
    check_plot(plot)
    if file == file2 == STANDARD:
        raise ConfigError("FILE and FILE2 cannot both be standard input; give a file for one")
    rows = read_texts(file, kind, columns)
    others = None if file2 is None else read_texts(file2, kind, columns)
    scorer = chosen_scorer(open_model(model_name, device, dtype), preset, vectors, config)
    with progress_bars() as progress:
        result = scorer.matrix(rows, others, progress)
    print_warnings(result.warnings)
    if written_as == TABLE:
        print_matrix(result)
    else:
        write_matrix(result, written_as, out)
    if plot is not None:
        draw_heat(result, plot)
