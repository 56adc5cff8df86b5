"""How cost grows: with the number of texts, of trajectories, their length, and the texts' length.

Run as `python -m benchmarks.scale --out scale.json --plot scale.png`. Each series is measured once
and fitted; what a figure is fitted to and what it is extended to is told apart.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import nnls

from benchmarks.clocks import Clock, clock_option, find_clock
from benchmarks.memory import peak_memory
from benchmarks.pairs import SENTENCES, make_texts
from eval.runs import write_json
from similarity.config import ComparisonConfig
from similarity.models.base import LanguageModel
from similarity.models.loader import EMBEDDED, load_model
from similarity.models.memory import keep_large_buffers
from similarity.pipeline import TrajectoryScorer
from similarity.vectors.general import open_vectors
from similarity.vectors.scorer import VectorScorer

# All pairs of so many texts by trajectories; more are left to the fit.
TRAJECTORY_TEXTS = (5, 10, 20, 40)
VECTOR_TEXTS = (10, 30, 100, 300, 1000, 3000)
NUMBERS = (5, 10, 20, 40)
LENGTHS = (5, 10, 20, 40)
# Sentences in one text.
SENTENCES_OF_TEXT = (1, 2, 4, 8, 16)
# The powers of x that a series is fitted by.
POWERS: Mapping[str, tuple[int, ...]] = {
    "trajectories, texts": (1, 2),
    "vectors, texts": (0, 1),
    "trajectories, n": (0, 1),
    "trajectories, m": (0, 1),
    "trajectories, tokens of a text": (0, 1),
    "vectors, tokens of a text": (0, 1),
}


@click.command()
@click.option("--model", "name", default=EMBEDDED, show_default=True)
@click.option("--most", default=3000, show_default=True, help="Texts of the largest matrix.")
@click.option("--most-by-trajectories", default=40, show_default=True, help="The same by those.")
@clock_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("scale.json"))
@click.option("--plot", type=click.Path(path_type=Path), default=Path("scale.png"))
def main(
    name: str, most: int, most_by_trajectories: int, clock_name: str, out: Path, plot: Path
) -> None:
    """Print seconds of each series with its fit, and draw them."""
    keep_large_buffers()
    model = load_model(name)
    series = measure(model, most, most_by_trajectories, find_clock(clock_name))
    fitted = {title: {**points, "fit": fit(title, points)} for title, points in series.items()}
    write_json(out, {"model": model.info.name, "clock": clock_name, "series": fitted})
    for title, points in fitted.items():
        terms = " + ".join(f"{c:.3g} x^{p}" for p, c in points["fit"].items())
        click.echo(f"{title:32} {terms} seconds")
    draw(fitted, plot)


def measure(
    model: LanguageModel, most: int, most_by_trajectories: int, clock: Clock
) -> dict[str, dict[str, Any]]:
    """Return each series: x, seconds, and the peak of memory in MiB."""
    vectors = VectorScorer(open_vectors(None, model))
    trajectories, two = TrajectoryScorer(model), make_texts(2)

    def pair(texts: Sequence[str], **settings: Any) -> Callable[[], object]:
        scorer = TrajectoryScorer(model, ComparisonConfig.build(**settings))
        return partial(scorer.score, [(texts[0], texts[1])])

    long = [long_texts(count) for count in SENTENCES_OF_TEXT]
    tokens = [len(model.encode(texts[0])) for texts in long]
    timed = partial(_timed, clock)
    few = [n for n in TRAJECTORY_TEXTS if n <= most_by_trajectories]
    many = [n for n in VECTOR_TEXTS if n <= most]
    return {
        "trajectories, texts": timed(
            few, [partial(trajectories.matrix, make_texts(n)) for n in few]
        ),
        "vectors, texts": timed(many, [partial(vectors.matrix, make_texts(n)) for n in many]),
        "trajectories, n": timed(NUMBERS, [pair(two, n_trajectories=n) for n in NUMBERS]),
        "trajectories, m": timed(LENGTHS, [pair(two, max_tokens=m) for m in LENGTHS]),
        "trajectories, tokens of a text": timed(tokens, [pair(texts) for texts in long]),
        "vectors, tokens of a text": timed(
            tokens, [partial(vectors.matrix, texts) for texts in long]
        ),
    }


def long_texts(sentences: int) -> list[str]:
    """Return sixteen texts of so many sentences each, no two alike."""
    return [
        " ".join(SENTENCES[(start + i) % len(SENTENCES)] for i in range(sentences)) + f" ({start})"
        for start in range(16)
    ]


def fit(title: str, points: Mapping[str, Sequence[float]]) -> dict[int, float]:
    """Return the coefficients of each power of x, none below 0, by least relative squares."""
    x, seconds = (np.array(points[name], float) for name in ("x", "seconds"))
    # Relative: the smallest run counts as much as the largest.
    terms = np.stack([x**power / seconds for power in POWERS[title]], axis=1)
    return dict(zip(POWERS[title], _nonnegative(terms, np.ones(len(x))), strict=True))


def _nonnegative(terms: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[float]:

    coefficients, _ = nnls(terms, wanted)
    return [float(each) for each in coefficients]


def _timed(
    clock: Clock, x: Sequence[float], works: Sequence[Callable[[], object]]
) -> dict[str, list[float]]:
    works[0]()
    seconds, peaks = [], []
    for work in works:
        with peak_memory() as peak:
            begin = clock()
            work()
            seconds.append(clock() - begin)
        peaks.append(peak.mebibytes)
    return {"x": list(x), "seconds": seconds, "peak_mib": peaks}


def draw(series: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw all series with their fits, on logarithmic axes."""
    mpl.use("Agg")
    figure = Figure(figsize=(11, 6), layout="constrained")
    for axes, (title, points) in zip(figure.subplots(2, 3).flat, series.items(), strict=True):
        x = np.geomspace(min(points["x"]), max(points["x"]))
        axes.loglog(points["x"], points["seconds"], "o", label="measured")
        axes.loglog(x, sum(c * x**p for p, c in points["fit"].items()), label="fitted")
        axes.set(title=title, xlabel=title.partition(", ")[2], ylabel="seconds")
        axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
