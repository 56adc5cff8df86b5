"""The command line `trajsim`: options in, the library called, a table or JSON out.

`serve` and `eval` belong to the packages above the library and are found by entry point, so that
nothing here imports them.
"""

import errno
from importlib.metadata import entry_points
from typing import Any

import click

from similarity.cli.batch_command import batch
from similarity.cli.cache_commands import cache
from similarity.cli.calibrate_commands import calibrate
from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_scorer, open_model
from similarity.cli.cluster_commands import cluster_texts, dedupe
from similarity.cli.consensus_command import consensus
from similarity.cli.entailment_commands import entails
from similarity.cli.hyponym_command import hyponym
from similarity.cli.images import text_option, texts_and_images
from similarity.cli.index_commands import index
from similarity.cli.matrix_command import matrix
from similarity.cli.options import interval_options, model_options, scoring_options
from similarity.cli.progress import progress_bars, working
from similarity.cli.tables import print_findings, print_score, print_trajectories
from similarity.cli.terminal import json_option, print_json, print_warnings
from similarity.cli.vector_commands import embed, fit, profile
from similarity.cli.vector_tables import print_vector_explanation
from similarity.doctor import diagnose
from similarity.errors import ConfigError, InputError, TrajsimError
from similarity.results import TrajectoryExplanation
from similarity.uncertainty import DEFAULT_CONFIDENCE, Tolerance, check_interval
from similarity.vectors.explain import VectorExplanation
from similarity.version import __version__

# What a system says where nothing more can be written, and what helps.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FREE_SPACE = "; free some space there, and give the same command again"

ENTRY_POINTS = "trajsim.commands"


class _OneLineError(click.ClickException):
    """An error of the library's as one line; 2 where the caller can mend it, else 1."""

    def __init__(self, error: TrajsimError) -> None:
        super().__init__(" ".join(str(error).split()))
        self._error = error

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # of the error, not of the class
        return 2 if isinstance(self._error, InputError | ConfigError) else 1


class _Commands(click.Group):
    """The commands here, and those that installed packages bring."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
        return sorted(found | set(super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group=ENTRY_POINTS, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TrajsimError as error:
            raise _OneLineError(error) from error
        except OSError as error:
            # A full disk, a folder without permission; click ends quietly at a closed pipe.
            if error.errno == errno.EPIPE:
                raise
            place = f"{error.filename}: " if error.filename else ""
            remedy = FREE_SPACE if error.errno in FULL else ""
            said = InputError(f"{place}{error.strerror or error}{remedy}")
            raise _OneLineError(said) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trajsim")
def main() -> None:
    """Compare texts by meaning: by how a language model would continue them."""


@main.command()
@click.argument("first")
@click.argument("second")
@text_option
@json_option
@model_options
@scoring_options
@interval_options
def compare(
    first: str,
    second: str,
    as_texts: bool,
    as_json: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
    confidence: float | None,
    tolerance: float | None,
    max_trajectories: int,
) -> None:
    """Print the similarity and distance of the texts FIRST and SECOND.

    Either may be the path of an image, with a model that reads images.
    """
    goal = None
    if tolerance is not None:
        confidence = DEFAULT_CONFIDENCE if confidence is None else confidence
        goal = Tolerance(
            half_width=tolerance, confidence=confidence, max_trajectories=max_trajectories
        )
    if confidence is not None:
        check_interval(
            scoring.config.estimator.distance, scoring.config.sampling.n_trajectories, confidence
        )
    one, other = texts_and_images((first, second), choice, as_texts=as_texts, by_name=True)
    model = open_model(choice)
    scorer = chosen_scorer(model, scoring, goal)
    with progress_bars() as progress:
        (result,) = scorer.score([(one, other)], progress)
    print_warnings(result.warnings)
    if as_json:
        print_json(result.to_dict(confidence))
    else:
        print_score(result, confidence)


@main.command()
@click.argument("first")
@click.argument("second")
@click.option("--top", default=5, show_default=True, help="Show so many parts of each kind.")
@text_option
@json_option
@model_options
@scoring_options
def explain(
    first: str,
    second: str,
    top: int,
    as_texts: bool,
    as_json: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Explain the score that `compare` prints of FIRST and SECOND, by what made it.

    A score by trajectories is explained by the continuations whose likelihoods after the two texts
    differ most. A score by meaning vectors is explained by the parts of the vectors' cosine.
    """
    if top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}")
    one, other = texts_and_images((first, second), choice, as_texts=as_texts, by_name=True)
    model = open_model(choice)
    scorer = chosen_scorer(model, scoring)
    with progress_bars() as progress:
        (explanation,) = scorer.explain([(one, other)], top, progress)
    print_warnings(explanation.score.warnings)
    if as_json:
        print_json(explanation.to_dict())
    elif isinstance(explanation, TrajectoryExplanation):
        print_trajectories(explanation)
    elif isinstance(explanation, VectorExplanation):
        print_vector_explanation(explanation)


@main.command()
@click.option(
    "--reference", default=None, help="Check that token ids and scores agree with this model's."
)
@json_option
@model_options
def doctor(reference: str | None, as_json: bool, choice: ModelChoice) -> None:
    """Check that a model is fit to score with, and measure its speed."""
    with working(f"checking {choice.name}"):
        findings = diagnose(choice.name, choice.options, reference)
    if as_json:
        print_json({"findings": [finding.to_dict() for finding in findings]})
    else:
        print_findings(findings)
    for finding in findings:
        if finding.check.error is not None:
            raise finding.check.error


for command in (
    matrix,
    batch,
    cache,
    calibrate,
    cluster_texts,
    dedupe,
    consensus,
    entails,
    hyponym,
    fit,
    embed,
    profile,
    index,
):
    main.add_command(command)
