"""Results as tables for a person to read."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from similarity.calibration import Scale
from similarity.cli.notes import note
from similarity.config import Settings
from similarity.doctor import Finding
from similarity.fingerprint import Fingerprint
from similarity.printable import printable
from similarity.results import Score, TrajectoryExplanation

# Wide enough to be read, where the output is not a terminal and has no width of its own.
PIPE_WIDTH = 120
# What is said of a similarity, by its scale.
SCALE_WORDS: Mapping[Scale, str] = {
    "judgements": "calibrated",
    "general text": "calibrated on general text",
    "own texts": "calibrated on own texts",
    "none": "uncalibrated",
}


def scale_and_source(fingerprint: Fingerprint[Settings]) -> str:
    """Return the scale of similarities in words, and what they depend on."""
    return f"{_scale_words(fingerprint)}; {fingerprint.describe()}"


def print_scale(fingerprint: Fingerprint[Settings]) -> None:
    """Print on standard error the scale of similarities whose file has no place for it."""
    words = _scale_words(fingerprint)
    note(f"similarities are {words}; fingerprint {fingerprint.digest}")


def _scale_words(fingerprint: Fingerprint[Settings]) -> str:
    fitted_here = fingerprint.calibration is not None and fingerprint.calibration.kept is not None
    return SCALE_WORDS[fingerprint.scale] + ", by a scale of yours" * fitted_here


def print_score(result: Score, confidence: float | None = None) -> None:
    """Print the scores of a pair; with their intervals, if a confidence is given."""
    scores = result.numbers()
    in_nats = result.fingerprint.config.to_dict()["distance"] in _IN_NATS
    table = Table(show_header=False, box=None)
    scale = _scale_words(result.fingerprint)
    table.add_row("similarity", f"{scores['similarity']:.4f} ({scale})")
    table.add_row("distance", f"{scores['distance']:.4f}" + " nats per token" * in_nats)
    if confidence is not None:
        interval = result.interval(confidence)
        likeness, distance = _between(interval.similarity), _between(interval.distance)
        table.add_row(
            f"{100 * confidence:g} % interval", f"similarity {likeness}, distance {distance}"
        )
    table.add_row("from", one_line(result.fingerprint.describe()))
    console().print(table)


def print_trajectories(explanation: TrajectoryExplanation) -> None:
    """Print a pair's most decisive trajectories and their log-likelihoods, nats per token."""
    result = explanation.score
    print_score(result)
    caption = (
        "Log-likelihoods in nats per token, the higher the likelier. The greatest difference "
        "stands first"
    )
    if any(result.trajectories[i].ended for i in explanation.numbers):
        caption += ". ⏹: the model ended the text there"
    table = Table(caption=f"{caption}.", caption_justify="left")
    table.add_column("continuation", overflow="fold")
    table.add_column("of")
    for name in ("first", "second", "difference"):
        table.add_column(name, justify="right")
    for i in explanation.numbers:
        trajectory, counts = result.trajectories[i], result.counts(i)
        first, second = result.log_likelihoods[:, i]
        table.add_row(
            one_line(trajectory.text)
            + (" ⏹" if trajectory.ended else " …")
            + (f" ({sum(counts)} times)" if sum(counts) > 1 else ""),
            "both" if all(counts) else ("first", "second")[trajectory.source],
            f"{first:.3f}",
            f"{second:.3f}",
            f"{first - second:+.3f}",
        )
    console().print(table)


def one_line(text: str) -> str:
    """Return what others wrote as one line of a table, for any terminal."""
    return printable(text)


def words_in_line(text: str) -> str:
    """Return the words of a text as one line of a table, for any terminal."""
    return one_line(" ".join(text.split()))


def print_findings(findings: Sequence[Finding]) -> None:
    """Print checks and figures; of a failure, what is wrong and what to do."""
    table = Table("place", "check", "", "found")
    for finding in findings:
        check = finding.check
        found = check.found if check.error is None else str(check.error)
        mark = "FAIL" if finding.failed else "ok"
        table.add_row(one_line(finding.place), check.name, mark, one_line(found))
    console().print(table)


_IN_NATS = frozenset({"l1", "l2", "linf"})


def _between(ends: tuple[float, float]) -> str:
    return "{:.4f} to {:.4f}".format(*ends)


class _Page(Console):
    """A console that shows each text as it is written, and lets none move the cursor.

    Neither `[red]` nor `:key:` is markup on it, wherever it stands. No text turns the direction of
    writing.
    """

    def __init__(self, width: int | None = None) -> None:
        super().__init__(width=width, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return what is shown of a text, with all but its line ends printable."""
        return super().render_str("\n".join(map(printable, text.split("\n"))), **options)


def console() -> Console:
    """Return the terminal, or a page of fixed width where there is none."""
    page = _Page()
    return page if page.is_terminal else _Page(PIPE_WIDTH)


def digits_to_compare(values: Sequence[float], borders: Sequence[float]) -> int:
    """Return how many digits show on which side of each border each value is: 3 to 9."""

    def is_shown(digits: int) -> bool:
        return all(
            (round(value, digits) < round(border, digits)) == (value < border)
            and (round(value, digits) > round(border, digits)) == (value > border)
            for value in values
            for border in borders
        )

    return next((digits for digits in range(3, 9) if is_shown(digits)), 9)
