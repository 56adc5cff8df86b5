"""`trajsim calibrate`: a scale for one model and one way of comparing, kept for this user."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from similarity.calibration import JUDGEMENTS, OWN_TEXTS, Calibration, comparable
from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_plan, open_model
from similarity.cli.options import ends_option, model_options, refuse_options, scoring_options
from similarity.cli.progress import progress_bars
from similarity.cli.reading import judged_pairs_of, texts_of
from similarity.cli.scale_commands import keep_and_report
from similarity.cli.terminal import INPUT_FLAGS, input_options, print_warnings
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.known_scales import KnownScales, check_keeping
from similarity.scale_warnings import few_judgements, few_texts, narrow_judgements, weak_order
from similarity.scales import scale_of_general_text, scale_of_judgements, scale_of_own_texts
from similarity.scorer import Progress, Scorer
from similarity.scorers import ScoringPlan
from similarity.tabular.judged import JudgedPair
from similarity.texts.general import general_sentences

# Of trajectories, which cost a thousand times what vectors do.
SENTENCES = 60
# Characters of a setting that a person is shown.
_LONGEST = 60


@click.command()
@click.option(
    "--pairs",
    metavar="FILE",
    help="Fit to these judged pairs: two texts and a number each.  [default: no labels, general "
    "sentences that ship]",
)
@click.option(
    "--texts",
    metavar="FILE",
    help="Fit to these texts of your own, one a line or one a file of a folder, without labels: "
    "0 is then where two unrelated ones are.",
)
@input_options()
@ends_option
@click.option(
    "--sentences",
    type=click.IntRange(2),
    help="Measure so many general sentences, or so many of your own texts.  [default: 60 by "
    "trajectories, 401 by vectors, and of fewer texts all]",
)
@model_options
@scoring_options
def calibrate(
    pairs: str | None,
    texts: str | None,
    kind: str | None,
    columns: str | None,
    ends: tuple[float, float],
    sentences: int | None,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Fit a scale for the similarities of a model, kept for this user.

    Without labels, similarity becomes 0 where unrelated general sentences are, and 1 where a text
    and itself are. With --texts, unrelated texts of your own take their place. With --pairs,
    similarity becomes what people would say of a pair, on average.

    For each model, vectors, preset and settings, the scale that you fitted last is used,
    wherever they compare. Without one, it is the scale that ships with the model, if one does.
    `trajsim scales` lists yours, and forgets one. A service that runs keeps the scale that it
    started with. A run of `trajsim eval sts` is fitted by `trajsim eval calibrate RUN --keep`.
    """
    _check_together(pairs, texts, sentences)
    check_keeping()
    judged = None if pairs is None else _judged(pairs, kind, columns)
    own = None if texts is None else texts_of(texts, kind, columns).texts
    model = open_model(choice)
    known = KnownScales(model, with_kept=False)
    scorer, plan = chosen_plan(model, scoring, scales=known)
    with progress_bars() as progress:
        if judged is not None:
            found = _of_judgements(scorer, judged, ends, str(pairs), progress)
        elif own is not None:
            count = sentences or min(_enough(scorer), len(set(own)))
            found = scale_of_own_texts(scorer, own, count, progress)
        else:
            found = scale_of_general_text(scorer, sentences or _enough(scorer), progress)
    click.echo(_described(found))
    if judged is not None:
        print_warnings(few_judgements(len(judged)))
        print_warnings(weak_order(found.fitted_on))
        print_warnings(narrow_judgements([pair.judgement for pair in judged], ends))
    if own is not None:
        print_warnings(few_texts(found.fitted_on["pairs"]))
    config = scorer.fingerprint.config
    keep_and_report(
        found,
        model.info.name,
        _compares(plan, scoring),
        named=known.named(config),
        shipped=known.shipped(config),
    )


def _check_together(pairs: str | None, texts: str | None, sentences: int | None) -> None:
    if pairs is not None and texts is not None:
        raise ConfigError("--texts and --pairs give two scales; leave one of them out")
    if pairs is None and texts is None:
        refuse_options(
            INPUT_FLAGS,
            "says how a file is read; give the file by --pairs or --texts, or leave it out",
        )
    if pairs is None:
        refuse_options(
            ["--scale"], "is of judgements; give judged pairs by --pairs, or leave it out"
        )
    if pairs is not None and sentences is not None:
        raise ConfigError("--sentences is of scales without labels; leave it or --pairs out")


def _judged(path: str, kind: str | None, columns: str | None) -> list[JudgedPair]:
    if Path(path).is_dir():
        raise ConfigError(f"{path} is a folder; fit a run by trajsim eval calibrate RUN --keep")
    return judged_pairs_of(path, kind, columns)


def _of_judgements(
    scorer: Scorer,
    judged: list[JudgedPair],
    ends: tuple[float, float],
    source: str,
    progress: Progress,
) -> Calibration:
    return scale_of_judgements(
        scorer,
        [pair.texts for pair in judged],
        [pair.judgement for pair in judged],
        ends,
        {"file": Path(source).name, "pairs": len(judged)},
        progress,
    )


def _enough(scorer: Scorer) -> int:
    by_trajectories = isinstance(scorer.fingerprint.config, ComparisonConfig)
    return SENTENCES if by_trajectories else len(general_sentences())


def _compares(plan: ScoringPlan, scoring: ScoringChoice) -> str:
    """Return the way of comparing: preset, vectors, and settings that are not the usual ones."""
    folder = [] if scoring.vectors is None else [f"vectors {Path(scoring.vectors).absolute()}"]
    changed = [] if plan.by_vectors else _changed(plan.config)
    return ", ".join([f"preset {plan.preset}", *folder, *changed])


def _changed(config: ComparisonConfig) -> list[str]:
    """Return each setting of trajectories that a scale depends on and that is not the usual."""
    usual = dict(_flat(comparable(ComparisonConfig().to_dict())))
    return [
        shorten(f"{name} {json.dumps(value)}", _LONGEST, placeholder=" …")
        for name, value in _flat(comparable(config.to_dict()))
        if usual.get(name) != value
    ]


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value


def _described(found: Calibration) -> str:
    if found.scale == JUDGEMENTS:
        return f"fitted to {found.fitted_on['pairs']} judged pairs"
    distances = found.fitted_on
    of = "random pairs of your texts" if found.scale == OWN_TEXTS else "unrelated pairs"
    return (
        f"similarity 1 at distance {distances['same']:.4g} (a text and itself), 0 at "
        f"{distances['unrelated']:.4g} (the median of {distances['pairs']} {of})"
    )
