"""`trajsim eval calibrate`: a scale from a run."""

from pathlib import Path

import click

from eval.calibrate import calibrate as fit_calibration
from eval.calibrate import judgements_of
from eval.methods.scorers import METHOD
from eval.runs import read_results
from similarity.calibration import NAME as CALIBRATION
from similarity.calibration import add_calibration, check_place_of_scales
from similarity.cli.notes import note
from similarity.cli.options import ends_option
from similarity.cli.scale_commands import keep_and_report
from similarity.cli.terminal import print_warnings
from similarity.scale_warnings import few_judgements, narrow_judgements, weak_order


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file; beside a model's weights it is found by itself.  [default: in RUN]",
)
@click.option(
    "--method",
    default=METHOD,
    show_default=True,
    help="Fit to the distances of this method of RUN, of trajectories or vectors.",
)
@ends_option
@click.option(
    "--keep",
    is_flag=True,
    help="Keep it for this user as `trajsim calibrate` does, where it is found by itself.",
)
def calibrate(
    run: Path, out: Path | None, method: str, ends: tuple[float, float], keep: bool
) -> None:
    """Fit the map from distance to similarity on the scores of RUN, made by `sts`.

    A file keeps one map for each way of comparing: others that it has of the same model stay.
    """
    path = out or run / CALIBRATION
    check_place_of_scales(path)
    found = fit_calibration(run, ends, method)
    print_warnings(few_judgements(found.fitted_on["pairs"]))
    print_warnings(weak_order(found.fitted_on))
    print_warnings(narrow_judgements(judgements_of(run), ends))
    add_calibration(path, found)
    note(f"wrote {path}")
    if keep:
        name = read_results(run)["fingerprint"]["model"]["name"]
        keep_and_report(found, name, f"method {method}")
