"""`trajsim scales check`: similarities beside what people said of other pairs."""

import click
import numpy as np
from rich.table import Table

from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_plan, open_model
from similarity.cli.options import ends_option, model_options, scoring_options
from similarity.cli.progress import progress_bars
from similarity.cli.reading import judged_pairs_of
from similarity.cli.tables import console, scale_and_source
from similarity.cli.terminal import input_options, json_option, print_json
from similarity.reliability import Bin, gap_by_chance, mean_gap, reliability
from similarity.scales import unit_judgements
from similarity.tabular.judged import JUDGED_FORMATS

_BINS = 10
# In a bin of fewer, the mean judgement says little.
_PAIRS_A_BIN = 10


@click.command()
@click.argument("file", metavar="FILE")
@input_options(JUDGED_FORMATS)
@ends_option
@json_option
@model_options
@scoring_options
def check(
    file: str,
    kind: str | None,
    columns: str | None,
    ends: tuple[float, float],
    as_json: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Compare similarities with the judged pairs in FILE, two texts and a number each.

    The pairs are put into bins of like similarity. On a good scale of judgements, the mean
    similarity of a bin is the mean of what people said. Take pairs that nothing was fitted to.
    """
    judged = judged_pairs_of(file, kind, columns)
    expected = unit_judgements(np.array([pair.judgement for pair in judged], float), ends)
    scorer, _ = chosen_plan(open_model(choice), scoring)
    with progress_bars() as progress:
        scores = scorer.score([pair.texts for pair in judged], progress)
    similarities = np.array([score.similarity for score in scores])
    count = max(1, min(_BINS, len(judged) // _PAIRS_A_BIN))
    bins = reliability(similarities, expected, count)
    if as_json:
        print_json(
            {
                "scale": scorer.fingerprint.scale,
                "fingerprint": scorer.fingerprint.digest,
                "bins": [vars(one) for one in bins],
                "mean_gap": mean_gap(bins),
                "gap_by_chance": gap_by_chance(bins),
            }
        )
        return
    console().print(_table(bins, ends))
    click.echo(
        f"mean gap {mean_gap(bins):.2f}, where 1 is the whole scale; an exact scale has about "
        f"{gap_by_chance(bins):.2f} on so many pairs"
    )
    click.echo(f"similarities are {scale_and_source(scorer.fingerprint)}")


def _table(bins: list[Bin], ends: tuple[float, float]) -> Table:
    low, high = ends
    table = Table("pairs", "mean similarity", "as a judgement", "mean judgement", "95 % interval")
    for one in bins:
        table.add_row(
            str(one.pairs),
            f"{one.similarity:.2f}",
            *(f"{low + (high - low) * value:.2f}" for value in (one.similarity, one.judged)),
            f"± {(high - low) * one.half_width:.2f}",
        )
    return table
