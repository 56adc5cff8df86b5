"""Pictures of a run: score against judgement, calibration, and what each setting is worth."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

from eval.agreement_plot import agreement_by_subset, plot_agreement
from eval.methods.scorers import METHOD
from eval.runs import Ablation, Run
from eval.style import COLOURS, QUIET, picture
from similarity.arrays import FloatArray
from similarity.calibration import NAME as CALIBRATION
from similarity.calibration import comparable, load_calibrations, similarity_map
from similarity.estimators.table import get_estimator
from similarity.reliability import mean_gap, reliability

COLUMNS = 4
# What helps where a run's scale cannot be read.
_OF_RUN = "move it away, and fit anew by trajsim eval calibrate if you want one"
BINS = 10
RESAMPLES = 200
GRID = 200


@dataclass(frozen=True)
class Points:
    """A task's pairs: scores, the higher the more alike, and judgements, shape "pair"."""

    scores: FloatArray
    judgements: FloatArray

    def resampled(self, generator: np.random.Generator) -> "Points":
        """Return as many pairs, drawn with replacement."""
        drawn = generator.integers(len(self.scores), size=len(self.scores))
        return Points(self.scores[drawn], self.judgements[drawn])


def draw_run(run: Run, lines: Iterable[Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    """Draw the figures of a run; return their names in the folder by caption.

    Judgement and calibration are of the run's trajectories, if it has any.
    """
    return _agreement(run, folder) | (
        _trajectories(run, lines, folder) if METHOD in run.methods else {}
    )


def _agreement(run: Run, folder: Path) -> dict[str, Path]:
    agreement = agreement_by_subset(run, run.methods)
    if not agreement:
        return {}
    name = Path(f"{run.slug}-agreement.png")
    plot_agreement(agreement, folder / name)
    return {f"{run.name}: Spearman × 100 of each subset of 20 pairs or more, by method.": name}


def _trajectories(run: Run, lines: Iterable[Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    points = points_by_task(lines, METHOD)
    to_similarity = _similarity_map(run)
    similarity = np.vectorize(lambda score: to_similarity(-score), otypes=[np.float64])
    calibrated = {t: Points(similarity(p.scores), p.judgements) for t, p in points.items()}
    judgement, calibration = (
        Path(f"{run.slug}-{kind}.png") for kind in ("judgement", "calibration")
    )
    plot_judgement(points, folder / judgement)
    plot_calibration(calibrated, folder / calibration)
    return {
        f"{run.name}: human judgement of each pair against its score. The line is the best rising "
        "fit, which like Spearman's correlation sees the order of scores alone, with its 95 % "
        "bootstrap interval over pairs; the lowest 0.5 % of scores are beyond the edge.": judgement,
        f"{run.name}: mean judgement, scaled by the lowest and highest given, against mean "
        "similarity, in ten bins of equally many pairs, with 95 % intervals. On the diagonal a "
        "similarity could be read as a judgement.": calibration,
    }


def _similarity_map(run: Run) -> Callable[[float], float]:
    """Return the run's calibration if it lies in its folder, or the distance's default map."""
    settings = run.content["fingerprint"]["settings"]
    path = run.folder / CALIBRATION
    fitted = load_calibrations(path, _OF_RUN) if path.exists() else ()
    calibration = next((one for one in fitted if one.settings == comparable(settings)), None)
    return similarity_map(get_estimator(settings["distance"]).distance.similarity, calibration)


def draw_ablation(ablation: Ablation, folder: Path) -> dict[str, Path]:
    """Draw the figure of an ablation; return its name in the folder by caption."""
    name = Path(f"{ablation.slug}-ablation.png")
    plot_ablation(ablation, folder / name)
    caption = (
        f"{ablation.name}: one setting changed at a time, {ablation.pairs}, "
        "with 95 % bootstrap intervals."
    )
    return {caption: name}


def points_by_task(lines: Iterable[Mapping[str, Any]], method: str) -> dict[str, Points]:
    """Gather one method's points from the lines of a run's scores."""
    gathered: dict[str, tuple[list[float], list[float]]] = {}
    for line in lines:
        scores, judgements = gathered.setdefault(line["task"], ([], []))
        scores.append(line["scores"][method])
        judgements.append(line["judgement"])
    return {task: Points(np.array(s), np.array(j)) for task, (s, j) in gathered.items()}


def rank_fit(points: Points, at: FloatArray) -> FloatArray:
    """Return the judgement expected at given scores by the best rising line.

    Isotonic regression: like Spearman's correlation it sees the order of the scores alone.
    """
    scores, inverse, counts = np.unique(points.scores, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=points.judgements) / counts
    fitted = isotonic_regression(means, weights=counts).x
    return np.interp(at, scores, fitted)


def band(points: Points, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the 95 % bootstrap interval of `rank_fit`, over pairs."""
    generator = np.random.Generator(np.random.Philox(0))
    fits = [rank_fit(points.resampled(generator), at) for _ in range(RESAMPLES)]
    low, high = np.percentile(fits, [2.5, 97.5], axis=0)
    return low, high


def plot_judgement(tasks: Mapping[str, Points], path: Path) -> None:
    """Draw each task's scores against judgements, with the rank fit and its interval."""

    def draw(axes: Axes, points: Points) -> None:
        at = np.quantile(points.scores, np.linspace(0, 1, GRID))
        low, high = band(points, at)
        axes.plot(points.scores, points.judgements, ".", color=QUIET, markersize=2, alpha=0.35)
        axes.fill_between(at, low, high, color=COLOURS[0], alpha=0.3, linewidth=0)
        axes.plot(at, rank_fit(points, at), color=COLOURS[0])
        # A few far pairs would squeeze all others to the edge.
        axes.set_xlim(left=np.quantile(points.scores, 0.005))

    _grid(tasks, draw, path, x="score (minus distance)", y="human judgement")


def plot_calibration(tasks: Mapping[str, Points], path: Path) -> None:
    """Draw each task's mean judgement against mean similarity, both in [0, 1]."""

    def draw(axes: Axes, points: Points) -> None:
        low, high = points.judgements.min(), points.judgements.max()
        bins = reliability(points.scores, (points.judgements - low) / (high - low), BINS)
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
        axes.errorbar(
            [one.similarity for one in bins],
            [one.judged for one in bins],
            yerr=[one.half_width for one in bins],
            fmt="o-",
            markersize=3,
            linewidth=1,
        )
        gap = f"mean gap {mean_gap(bins):.2f}"
        axes.text(0.04, 0.9, gap, transform=axes.transAxes, fontsize="small")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")

    _grid(tasks, draw, path, x="mean similarity", y="mean judgement, scaled")


def plot_ablation(ablation: Ablation, path: Path) -> None:
    """Draw Spearman's correlation against each setting, with its interval."""

    def draw(axes: Axes, panel: Mapping[str, Any]) -> None:
        numeric = all(_is_number(name) for name in panel)
        x = [float(name) for name in panel] if numeric else list(range(len(panel)))
        for at, figure in zip(x, panel.values(), strict=True):
            if figure["low"] is not None:
                axes.vlines(at, figure["low"], figure["high"], color=COLOURS[0])
        axes.plot(x, [f["value"] for f in panel.values()], "o-" if numeric else "o")
        axes.set_xticks(x, list(panel))
        if not numeric:
            axes.set_xlim(-0.5, len(panel) - 0.5)
            axes.tick_params(axis="x", rotation=90 if len(panel) > 4 else 0, labelsize="small")

    _grid(ablation.panels, draw, path, x="", y="Spearman × 100", same_y=True)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _grid(
    panels: Mapping[str, Any],
    draw: Callable[[Axes, Any], None],
    path: Path,
    *,
    x: str,
    y: str,
    same_y: bool = False,
) -> None:
    """Draw one panel for each name, and write the picture."""
    columns = min(COLUMNS, len(panels))
    rows = ceil(len(panels) / columns)
    with picture(path, 3.1 * columns, 2.9 * rows) as figure:
        cells: list[Axes] = (
            figure.subplots(rows, columns, squeeze=False, sharey=same_y).ravel().tolist()
        )
        for axes, (name, panel) in zip(cells, panels.items(), strict=False):
            draw(axes, panel)
            axes.set_title(name)
        for axes in cells[len(panels) :]:
            axes.set_axis_off()
        figure.supxlabel(x, fontsize="medium")
        figure.supylabel(y, fontsize="medium")
