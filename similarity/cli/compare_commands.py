"""`trajsim compare` and `explain`: one pair; `doctor`: is a model fit to score with."""

import click

from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_scorer, open_model
from similarity.cli.images import text_option, texts_and_images
from similarity.cli.options import (
    interval_options,
    model_options,
    scoring_options,
    trajectory_options_given,
)
from similarity.cli.progress import progress_bars, working
from similarity.cli.tables import print_findings, print_score, print_trajectories
from similarity.cli.terminal import json_option, print_json, print_warnings
from similarity.cli.vector_tables import print_vector_explanation
from similarity.doctor import diagnose
from similarity.errors import ConfigError
from similarity.results import TrajectoryExplanation
from similarity.uncertainty import DEFAULT_CONFIDENCE, Tolerance, check_interval
from similarity.vectors.explain import VectorExplanation


@click.command()
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
    if tolerance is None and "--max-trajectories" in trajectory_options_given():
        raise ConfigError("--max-trajectories is of --tolerance; give --tolerance, or leave it out")
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


@click.command()
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
        print_vector_explanation(explanation, top)


@click.command()
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
