"""Vectors of each task's own domain: fitted to the unlabelled sentences of all other files.

Run as `python -m benchmarks.domains --data FOLDER --out FOLDER`. For each of the seven test sets
the corpus is the sentences of the training and dev files that are in no test set, then all others
of the training and dev files and of the other six sets, without any sentence of the set itself.
What the model tells of a sentence is the same for all sets: it is read once and kept in --out, and
whitening and trigrams are fitted seven times. So the vectors are those that `trajsim fit` makes of
the corpus in that order, but that tokens are counted in its first part alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np

from eval.datasets import SEVEN, Source, load_task
from eval.pair_files import ScoredPair
from eval.protocol import Aggregate, Judged, aggregates
from eval.run import write_json
from eval.unlabelled import DEFAULT_TASKS
from similarity.arrays import FloatArray, Rows
from similarity.cli.options import open_model
from similarity.models.loader import EMBEDDED
from similarity.storage.files import replace_file
from similarity.vectors import MeaningVectors, VectorConfig, fit
from similarity.vectors.fitting import HEAD_BATCHES
from similarity.vectors.meaning import BATCH_TEXTS
from similarity.vectors.rarity import weights_by_rarity
from similarity.vectors.storage import fingerprint, rounded
from similarity.vectors.trigrams import BUCKETS, buckets
from similarity.vectors.whitening import Whitening, WhiteningFit

# Sentences whose features are kept in one file.
PART = 2048
RESAMPLES = 1000
COUNTED = HEAD_BATCHES * BATCH_TEXTS
GROUPS: dict[str, tuple[str, ...]] = {
    "all three groups": ("distributions", "states", "trigrams"),
    "states and trigrams": ("states", "trigrams"),
    "distributions and trigrams": ("distributions", "trigrams"),
    "distributions and states": ("distributions", "states"),
    "distributions": ("distributions",),
    "states": ("states",),
    "trigrams": ("trigrams",),
}

Pairs = Sequence[ScoredPair]
Features = Mapping[str, Rows]


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
def main(data: Path, out: Path, model_name: str) -> None:
    """Print Spearman × 100 for each set and each choice of groups, and keep it in domains.json."""
    source = Source(str(data))
    tasks = {name: load_task(name, source) for name in SEVEN}
    others = [pair for name in DEFAULT_TASKS for pair in load_task(name, source)]
    tested = dict.fromkeys(texts_of(chain.from_iterable(tasks.values())))
    first = [text for text in texts_of(others) if text not in tested]
    everything = list(dict.fromkeys([*first, *texts_of(others), *tested]))
    start = fit(open_model(model_name, "auto", "auto"), first, VectorConfig())
    read_once = read(start.only("distributions", "states"), everything, out)
    found: dict[str, dict[str, Aggregate]] = {name: {} for name in GROUPS}
    for task, pairs in tasks.items():
        inside = set(texts_of(pairs))
        corpus = [number for number, text in enumerate(everything) if text not in inside]
        vectors, features = fitted(start, read_once, everything, corpus)
        click.echo(f"{task}: fitted to {len(corpus)} sentences")
        for name, figure in figures(vectors, features, everything, pairs).items():
            found[name][task] = figure
            click.echo(f"  {name}: {_shown(figure)}")
    for name, by_task in found.items():
        by_task["average"] = Aggregate.mean(list(by_task.values()))
        click.echo(f"average, {name}: {_shown(by_task['average'])}")
    content = {
        name: {task: vars(figure.estimate) for task, figure in by_task.items()}
        for name, by_task in found.items()
    }
    write_json(out / "domains.json", content)


def fitted(
    start: MeaningVectors, read_once: Features, texts: Sequence[str], corpus: Sequence[int]
) -> tuple[MeaningVectors, Features]:
    """Return vectors fitted to some of the texts, and all features of all texts."""
    counted = map(buckets, (texts[at] for at in corpus[:COUNTED]))
    weights = weights_by_rarity(counted, BUCKETS, start.config.smoothing)
    vectors = replace(start, trigram_weights=weights)
    features = {**read_once, "trigrams": vectors.reader.rows("trigrams", texts)}
    return replace(vectors, whitenings=whitenings(vectors, features, corpus)), features


def texts_of(pairs: Iterable[ScoredPair]) -> list[str]:
    """Return each text of the pairs once, in order."""
    return list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))


def read(vectors: MeaningVectors, texts: Sequence[str], folder: Path) -> Features:
    """Return the features of texts by group, shape "text width"; what is in the folder is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    parts, made_by = [], fingerprint(vectors)["id"]
    for start in range(0, len(texts), PART):
        path = folder / f"features-{made_by}-{start}.npz"
        if not path.exists():
            some = texts[start : start + PART]
            rows = {group: vectors.reader.rows(group, some) for group in vectors.groups}
            replace_file(path, partial(_save, rows))
            click.echo(f"read {start + len(some)} of {len(texts)} sentences", err=True)
        with np.load(path) as kept:
            parts.append(dict(kept))
    return {group: np.concatenate([part[group] for part in parts]) for group in vectors.groups}


def whitenings(
    vectors: MeaningVectors, features: Features, corpus: Sequence[int]
) -> dict[str, Whitening]:
    """Return the whitening of each group, fitted to some of the texts."""
    found = {}
    for group, rows in features.items():
        fitted = WhiteningFit(rows.shape[1])
        for start in range(0, len(corpus), PART):
            fitted.add(rows[corpus[start : start + PART]])
        config = vectors.config
        found[group] = rounded(fitted.fit(config.shrinkage, min(config.rank, fitted.width)))
    return found


def figures(
    vectors: MeaningVectors, features: Features, texts: Sequence[str], pairs: Pairs
) -> dict[str, Aggregate]:
    """Return the correlation × 100 over all pairs for each choice of groups."""
    number = {text: at for at, text in enumerate(texts)}
    sides = [[number[getattr(pair, side)] for pair in pairs] for side in ("first", "second")]
    judged = Judged(
        np.array([pair.score for pair in pairs]), np.array([pair.subset for pair in pairs])
    )
    resamples = judged.resamples(RESAMPLES, 0)
    found = {}
    for name, groups in GROUPS.items():
        chosen = vectors.only(*groups)
        scores: FloatArray = sum(
            np.einsum("pd,pd->p", *(chosen.whitened(group, features[group][at]) for at in sides))
            for group in groups
        )
        found[name] = aggregates(judged, scores, resamples)["all"]
    return found


def _save(rows: dict[str, Any], path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **rows)


def _shown(figure: Aggregate) -> str:
    estimate = figure.estimate
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


if __name__ == "__main__":
    main()
