"""`trajsim eval cxc`: images and captions that people have judged."""

from pathlib import Path

import click
from rich.table import Table

from eval.cxc import CAPTIONS, PUBLISHED, SPLITS, TASKS, agreement, load_cxc
from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_scorer, open_model
from similarity.cli.options import model_options, scoring_options
from similarity.cli.progress import progress_bars
from similarity.cli.tables import console, one_line
from similarity.cli.terminal import json_option, print_json


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Read sis_<split>.csv, sits_<split>.csv and {CAPTIONS} of this folder.",
)
@click.option(
    "--images",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Read the images of MS-COCO from this folder.",
)
@click.option(
    "--task", type=click.Choice(list(TASKS)), default="sits", show_default=True,
    help="Compare images with images (sis), or captions with images (sits).",
)  # fmt: skip
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="test",
    show_default=True,
    help="Read the pairs of this split.",
)
@click.option(
    "--even", is_flag=True,
    help="Take as many pairs of each judgement, 1,000 at most, as the code of the paper does.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=4), help="Take only so many pairs, evenly spread.")
@json_option
@model_options
@scoring_options
def cxc(
    data: Path,
    images: Path,
    task: str,
    split: str,
    even: bool,
    limit: int | None,
    as_json: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Measure agreement with people on Crisscrossed Captions, from files that you have.

    The correlation is balanced over queries, as its authors have it: the mean over samples of half
    of the queries with one pair of each. That of all pairs stands beside it. The published figures
    are of all pairs that --even --split val takes.
    """
    judged = load_cxc(task, data, images, split, even=even)
    if limit is not None and limit < len(judged):
        judged = [judged[i * len(judged) // limit] for i in range(limit)]
    model = open_model(choice)
    scorer = chosen_scorer(model, scoring)
    with progress_bars() as progress:
        scores = scorer.score([one.pair for one in judged], progress)
    found = agreement(judged, [score.similarity for score in scores])
    if as_json:
        print_json(
            {
                "task": task,
                "pairs": len(judged),
                "even": even,
                "balanced": found.balanced,
                "deviation": found.deviation,
                "all": found.everything,
                "published": PUBLISHED[task],
                "fingerprint": scorer.fingerprint.to_dict(),
            }
        )
        return
    table = Table(box=None, caption=f"Spearman × 100 on {len(judged)} pairs of {task}-{split}")
    for name in ("", "balanced", "all pairs"):
        table.add_column(name, justify="right" if name else "left")
    balanced = f"{found.balanced:.1f} ± {found.deviation:.1f}"
    table.add_row(one_line(model.info.name), balanced, f"{found.everything:.1f}")
    for method, figure in PUBLISHED[task].items():
        table.add_row(f"published, even, val: {method}", "", f"{figure:.1f}")
    console().print(table)
