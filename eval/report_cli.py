"""`trajsim eval report`: reads runs and ablations, writes a report with figures."""

from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import click

from eval.columns import difference
from eval.mteb_results import write_mteb_results
from eval.published import published
from eval.report import TITLE
from eval.report import report as as_markdown
from eval.run import refuse_files
from eval.runs import SCORES, Ablation, Run, open_folders
from eval.scores import check_scores, read_scores
from similarity.cli.notes import note
from similarity.cli.progress import progress_bar
from similarity.errors import InputError, MissingDependencyError
from similarity.extras import unusable
from similarity.storage.files import check_folder, replace_file, write_text, writing

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
    check_folder(out)
    _check_new(out, [REPORT])
    with TemporaryDirectory() as made:
        new = Path(made)
        pictures = _drawn(runs, ablations, new) if figures else {}
        for run in runs:
            write_mteb_results(run, new / "mteb" / run.slug)
        write_text(new / REPORT, as_markdown(runs, published(), pictures))
        _put(new, out)
    note(f"wrote {out / REPORT}")
    if sentence := difference(runs):
        note(f"warning: {sentence}")


def _drawn(runs: Sequence[Run], ablations: Sequence[Ablation], out: Path) -> dict[str, Path]:
    try:
        plots = import_module("eval.plots")
    except ImportError as error:
        lacking = unusable(error, "figures need matplotlib", "matplotlib")
        raise MissingDependencyError(f"{lacking}, or give --no-figures") from error
    found: dict[str, Path] = {}
    with progress_bar("drawing", "folder", len(runs) + len(ablations)) as on_progress:
        for run in runs:
            found |= plots.draw_run(run, read_scores(run.folder), out)
            on_progress(1)
        for ablation in ablations:
            found |= plots.draw_ablation(ablation, out)
            on_progress(1)
    return found


def _put(new: Path, out: Path) -> None:
    """Copy all files of a new report to its folder, where those of an earlier one are replaced."""
    names = sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file())
    _check_new(out, names)
    # First, as it is what shows that the others are of a report.
    names.sort(key=lambda name: name != REPORT)
    for name in names:
        path, source = out / name, new / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, partial(copyfile, source))


def _check_new(out: Path, names: Iterable[str]) -> None:
    """Refuse a folder whose files of these names are a user's own: they would be replaced."""
    report = out / REPORT
    try:
        is_report = report.is_file() and report.read_bytes().startswith(f"{TITLE}\n".encode())
    except OSError as error:
        raise InputError(f"cannot read {report}: {error.strerror}") from error
    if not is_report:
        refuse_files(out, names, "is of no report")
