"""`trajsim eval report`: reads runs and ablations, writes a report with figures."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from eval.columns import difference
from eval.mteb_results import write_mteb_results
from eval.published import published
from eval.report import report as as_markdown
from eval.runs import SCORES, Ablation, Run, open_folders
from eval.scores import check_scores, read_scores
from similarity.cli.progress import progress_bar
from similarity.errors import InputError, MissingDependencyError
from similarity.storage.files import write_text

REPORT = "report.md"


@click.command()
@click.argument(
    "folders",
    metavar="DIR…",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the report to this folder.  [default: 'report' in the first DIR]",
)
@click.option(
    "--figures/--no-figures", default=True, show_default=True, help="Draw the figures of the runs."
)
def report(folders: Sequence[Path], out: Path | None, figures: bool) -> None:
    """Write a report of the runs in DIR…, side by side and beside the published figures.

    A DIR is the --out of `sts` or of an ablation. With the report come figures, and each run's
    results in the schema of MTEB.
    """
    runs, ablations = open_folders(folders)
    if not runs and not figures:
        raise InputError("an ablation is drawn and nothing else; leave --no-figures out")
    for run in runs:
        check_scores(run.folder, run.content.get(SCORES))
    out = out or folders[0] / "report"
    pictures = _drawn(runs, ablations, out) if figures else {}
    for run in runs:
        write_mteb_results(run, out / "mteb" / run.slug)
    write_text(out / REPORT, as_markdown(runs, published(), pictures))
    click.echo(f"wrote {out / REPORT}", err=True)
    if sentence := difference(runs):
        click.echo(f"warning: {sentence}", err=True)


def _drawn(runs: Sequence[Run], ablations: Sequence[Ablation], out: Path) -> dict[str, Path]:
    try:
        plots = import_module("eval.plots")
    except ImportError as error:
        raise MissingDependencyError(
            "figures need matplotlib: pip install matplotlib, or give --no-figures"
        ) from error
    found: dict[str, Path] = {}
    with progress_bar("drawing", "folder", len(runs) + len(ablations)) as on_progress:
        for run in runs:
            found |= plots.draw_run(run, read_scores(run.folder), out)
            on_progress(1)
        for ablation in ablations:
            found |= plots.draw_ablation(ablation, out)
            on_progress(1)
    return found
