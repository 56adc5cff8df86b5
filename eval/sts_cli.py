"""`trajsim eval sts`, and `trajsim eval ablate`, which makes several of its runs."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from eval.ablation import ablate as run_ablation
from eval.datasets import BENCHMARKS, HUB, SEVEN, Source, load_task, named_tasks, spread
from eval.methods.base import Factory, Setting
from eval.methods.baselines import BASELINES
from eval.methods.sentence_transformers import sentence_transformer
from eval.pair_files import Columns, ScoredPair
from eval.parts import part_in_words
from eval.plan import Methods, Plan
from eval.progress import RunProgress
from eval.run import FITTED, TRAJECTORIES, run
from eval.store import CachedModel
from eval.sts_options import FITTED_TO_TEXTS, METHODS, refuse_unused
from eval.tables import print_gaps, print_results
from eval.unlabelled import fit_warnings, read_unlabelled
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.notes import note
from similarity.cli.options import (
    comparison_options,
    model_options,
    refuse_options,
)
from similarity.cli.places import note_places
from similarity.cli.ray_options import cluster_options, open_model_on
from similarity.cli.stopping import note_goes_on
from similarity.cli.terminal import json_option, print_json
from similarity.config import ComparisonConfig
from similarity.distributed.cluster import Cluster
from similarity.errors import ConfigError
from similarity.fingerprint import Fingerprint
from similarity.tabular.texts import split_columns, unfit_columns

_columns_option = click.option(
    "--columns",
    default="score,sentence1,sentence2,subset",
    show_default=True,
    help="Read these columns in files of your own.",
)


@click.command()
@click.option(
    "--data",
    required=True,
    help="Read <task>.tsv files (subset, score, sentence1, sentence2) of this folder, and files of "
    f"your own that are not where --tasks names them; or '{HUB}'. In .tsv a quotation mark is a "
    "character.",
)
@click.option(
    "--tasks",
    default=",".join(SEVEN),
    help=f"Score these, between commas: {', '.join(BENCHMARKS)}, or files of your own (.tsv, "
    ".csv, .jsonl).  [default: the seven test sets]",
)
@_columns_option
@click.option("--limit", type=int, help="Take only so many pairs, spread evenly over each task.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/sts"),
    show_default=True,
    help="Keep the run in this folder. A run that was stopped goes on where it was.",
)
@click.option(
    "--seeds", help="Sample the trajectories anew with each of these seeds, between commas."
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Score by the baselines too.",
)
@click.option(
    "--trajectories/--no-trajectories",
    "sampled",
    default=True,
    show_default=True,
    help="Score by the run's own trajectories too, which cost by far the most.",
)
@click.option(
    "--method",
    "extra",
    multiple=True,
    type=click.Choice(list(METHODS)),
    metavar="NAME",
    help=f"Score by this method too, of {'; '.join(METHODS)}. May be given more than once.",
)
@click.option(
    "--unlabelled",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Fit the statistics of baselines on the texts of this file, one a line.  "
    "[default: the sentences of stsb-train, stsb-dev, sick-r-train and sick-r-dev that are there]",
)
@click.option(
    "--sentence-transformer",
    "sentence_transformer_id",
    help="Score by this model of sentence-transformers too.",
)
@click.option(
    "--log-likelihoods/--no-log-likelihoods",
    default=False,
    show_default=True,
    help="Keep both rows of each pair beside its score.",
)
@click.option(
    "--resamples",
    default=1000,
    show_default=True,
    help="Resample so often for the bootstrap intervals.",
)
@json_option
@cluster_options
@model_options
@comparison_options
def sts(
    data: str,
    tasks: str,
    columns: str,
    limit: int | None,
    out: Path,
    seeds: str | None,
    baselines: bool,
    sampled: bool,
    extra: Sequence[str],
    unlabelled: Path | None,
    sentence_transformer_id: str | None,
    log_likelihoods: bool,
    resamples: int,
    as_json: bool,
    cluster: Cluster | None,
    choice: ModelChoice,
    config: ComparisonConfig,
) -> None:
    """Print Spearman correlations × 100 with the scores of semantic textual similarity."""
    _check(limit, resamples)
    numbers = _seeds(seeds, config.sampling.seed) if sampled else []
    others = _others(baselines, extra, sentence_transformer_id)
    refuse_unused(sampled, others.keys(), seeds, log_likelihoods)
    if not (numbers or others):
        raise ConfigError("--no-trajectories leaves nothing to score by; name a --method")
    names, source = named_tasks(tasks), Source(data, _columns(columns))
    _check_columns(names)
    whole = {task: _loaded(task, source) for task in names}
    pairs = {task: spread(there, limit) for task, there in whole.items()}
    texts = read_unlabelled(unlabelled, source, pairs.values())
    if not others.keys().isdisjoint(FITTED_TO_TEXTS):
        for warning in fit_warnings(texts.to_dict()):
            note(warning)
    note_goes_on()
    opened = open_model_on(cluster, choice)
    model = CachedModel(opened, out / TRAJECTORIES)
    with RunProgress() as progress:
        setting = Setting(
            model=model,
            config=config,
            unlabelled=texts.texts,
            kept=out / FITTED,
            progress=progress.stage,
        )
        plan = Plan(
            fingerprint=Fingerprint(model.info, config),
            tasks=pairs,
            methods=Methods(setting, numbers, others),
            unlabelled=texts.to_dict(),
            keep_rows=log_likelihoods,
            resamples=resamples,
            whole={task: len(there) for task, there in whole.items()},
        )
        results = run(out, plan, model, progress)
    note(f"wrote {out}")
    if as_json:
        print_json(results)
    else:
        print_results(results)
    print_gaps(results)


@click.command()
@click.option("--data", required=True, help="Read the task's pairs here, as `sts` does.")
@click.option(
    "--task", default="stsb-dev", show_default=True, help="Measure on this task, never a test set."
)
@_columns_option
@click.option("--limit", type=int, help="Take only so many pairs, spread evenly over the task.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/ablation"),
    show_default=True,
    help="Keep its runs in this folder, where they go on when stopped.",
)
@model_options
@comparison_options
def ablate(
    data: str,
    task: str,
    columns: str,
    limit: int | None,
    out: Path,
    choice: ModelChoice,
    config: ComparisonConfig,
) -> None:
    """Measure what distance, full stop, prompt, number, length and temperature are worth."""
    _check(limit, 0)
    if task in SEVEN:
        raise ConfigError(f"{task} is a test set: settings are chosen on another, as stsb-dev")
    _check_columns([task])
    whole = _loaded(task, Source(data, _columns(columns)))
    pairs = spread(whole, limit)
    note_goes_on()
    model = open_model(choice)
    with RunProgress() as progress:
        found = run_ablation(out, model, task, pairs, config, progress, len(whole))
    click.echo(json.dumps(found["spearman"], indent=1))
    if part := part_in_words(task, found):
        note(f"only {part}")
    note(f"wrote {out}")


def _loaded(task: str, source: Source) -> list[ScoredPair]:
    """Return the pairs of a task, whose places are remembered for what is said of one later."""
    pairs = load_task(task, source)
    for number, pair in enumerate(pairs, 1):
        note_places([pair.first, pair.second], [f"pair {number} of {task}"] * 2)
    return pairs


def _check(limit: int | None, resamples: int) -> None:
    if limit is not None and limit < 2:
        raise ConfigError(f"--limit must be at least 2, got {limit}")
    if resamples != 0 and not 40 <= resamples <= 100_000:  # Of 95 %, a tail of one is left out.
        raise ConfigError(f"--resamples must be 0, or between 40 and 100000, got {resamples}")


def _check_columns(tasks: Sequence[str]) -> None:
    if all(task in BENCHMARKS for task in tasks):
        refuse_options(["--columns"], "is of files of your own, and no task is one; leave it out")


def _columns(names: str) -> Columns:
    split = split_columns(names)
    if not 3 <= len(split) <= 4:
        raise unfit_columns("score, two texts and maybe a subset", names)
    return Columns(*split)


def _seeds(given: str | None, default: int) -> list[int]:
    try:
        seeds = [default] if given is None else [int(seed) for seed in given.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seeds wants whole numbers between commas, got {given!r}") from error
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds must differ, got {given!r}")
    return seeds


def _others(
    baselines: bool, extra: Sequence[str], sentence_model: str | None
) -> dict[str, Factory]:
    found = dict(BASELINES) if baselines else {}
    found |= {name: METHODS[name] for name in extra}
    if sentence_model is not None:
        found[sentence_model] = sentence_transformer(sentence_model)
    return found
