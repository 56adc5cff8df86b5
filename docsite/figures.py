"""Draws the pictures of the documentation, in one style, from its own tables and from a run.

Run as `python -m docsite.figures`, or with the folder of a run of `trajsim eval sts` that has the
methods `fast`, `meaning` and `best`: then the agreement is by subset, and calibration is drawn too.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from docsite.pages import DOCS
from eval.agreement_plot import agreement_by_subset, plot_agreement
from eval.plots import Points, plot_calibration, points_by_task
from eval.runs import Run, open_folders
from eval.scores import read_scores
from eval.style import COLOURS, QUIET, picture
from similarity.calibration import NAME, load_calibrations
from similarity.models.loader import SMOLLM2_ASSETS

IMAGES = DOCS / "images"
METHODS = ("fast", "meaning", "best")
# The paper's settings cost 1,550 tokens a pair.
PAPER_TOKENS = 775
# The label of a point that is this low stands below it: another point may be above.
LOW = 50
# A trained encoder reads a text once.
ENCODER_TOKENS = 15


def rows(page: str, first: str) -> Iterator[list[str]]:
    """Yield the cells of the rows of the table whose header begins with these words."""
    text = (DOCS / page).read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| {re.escape(first)}.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    for line in table.splitlines():
        yield [cell.strip() for cell in line.strip("|").split("|")]


def draw_limits() -> None:
    """Draw the similarity of pairs that differ in one thing, from the table of the page."""
    found = [(cells[0], cells[1], float(cells[3])) for cells in rows("method/limits.md", "what")]
    with picture(IMAGES / "limits.png", 7.5, 3.0) as figure:
        axes = figure.subplots()
        for height, (differs, pair, similarity) in enumerate(reversed(found)):
            wrong = differs in ("roles", "negation", "a number")
            axes.barh(height, similarity, color=COLOURS[1] if wrong else COLOURS[0], height=0.45)
            axes.text(0, height + 0.3, pair, fontsize="small", va="bottom")
        axes.set_yticks(range(len(found)), [differs for differs, _, _ in reversed(found)])
        axes.set(xlim=(0, 1), xlabel="similarity", ylabel="what differs")
        axes.set_ylim(-0.5, len(found) - 0.2)
        axes.grid(visible=False, axis="y")


def draw_frontier() -> None:
    """Draw the average of the seven test sets against tokens a text, from the tables."""
    own = [(cells[0], int(cells[1]), float(cells[-1])) for cells in rows("measured.md", "| tokens")]
    others = [(cells[0], float(cells[1])) for cells in rows("measured.md", "for comparison")]
    with picture(IMAGES / "frontier.png", 7.5, 4.2) as figure:
        axes = figure.subplots()
        for name, tokens, average in own:
            label = name.partition(":")[0].partition(",")[0].strip("`").replace("`", "")
            if tokens:
                axes.plot(tokens, average, "o", color=COLOURS[0], zorder=3)
                beside = (9, 4 if label == "best" else -4)
                axes.annotate(
                    f"{label} {average}", (tokens, average), xytext=beside,
                    textcoords="offset points", va="center", color=COLOURS[0], fontweight="bold",
                )  # fmt: skip
            else:
                axes.axhline(average, color=QUIET, linewidth=1, linestyle=":")
                axes.text(3000, average + 0.4, f"{label} {average}", color="0.35", ha="right")
        for name, average in others:
            paper = name.startswith("the paper")
            if not (paper or "MiniLM" in name):
                continue
            tokens = PAPER_TOKENS if paper else ENCODER_TOKENS
            axes.plot(tokens, average, "s" if paper else "^", color=COLOURS[1 if paper else 2])
            axes.annotate(
                f"{name} {average}", (tokens, average), textcoords="offset points",
                xytext=(0, -14 if average < LOW else 8), ha="center" if paper else "left",
                color=COLOURS[1 if paper else 2],
            )  # fmt: skip
        axes.set(xscale="log", xlim=(8, 3200), ylim=(45, 84))
        axes.set_xticks(
            [10, 30, 100, 300, 1000, 3000], ["10", "30", "100", "300", "1,000", "3,000"]
        )
        axes.minorticks_off()
        axes.set(xlabel="tokens a text", ylabel="Spearman × 100, seven test sets")


def draw_agreement(run: Run | None) -> None:
    """Draw the agreement with people by subset of a run, or by test set from the table."""
    if run is not None:
        methods = [name for name in (*METHODS, "word overlap") if name in run.methods]
        plot_agreement(agreement_by_subset(run, methods), IMAGES / "agreement.png")
        return
    sets = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
    agreement: dict[str, dict[str, float]] = {name: {} for name in sets}
    for cells in rows("measured.md", "| tokens"):
        method = cells[0].partition(":")[0].partition(",")[0].replace("`", "")
        if method in (*METHODS, "word overlap"):
            for name, value in zip(sets, cells[2:-1], strict=True):
                agreement[name][method] = float(value)
    plot_agreement(agreement, IMAGES / "agreement.png")


def draw_calibration(run: Run) -> None:
    """Draw mean judgement against mean similarity, on the scales that come with SmolLM2."""
    calibrations = {
        len(one.settings["vectors"]["groups"]): one
        for one in load_calibrations(SMOLLM2_ASSETS / NAME)
        if "vectors" in one.settings
    }
    panels = {}
    for groups, method in enumerate(METHODS, 1):
        found = points_by_task(read_scores(run.folder), method).values()
        scores, judged = (np.concatenate([getattr(one, name) for one in found]) for name in POINTS)
        panels[method] = Points(calibrations[groups].of_all(-scores), judged)
    plot_calibration(panels, IMAGES / "calibration.png")


POINTS = ("scores", "judgements")


def main() -> None:
    """Draw all pictures, those of a run where its folder is given."""
    draw_limits()
    draw_frontier()
    run = open_folders([Path(sys.argv[1])])[0][0] if len(sys.argv) > 1 else None
    draw_agreement(run)
    if run is not None:
        draw_calibration(run)


if __name__ == "__main__":
    main()
