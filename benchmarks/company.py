"""How far distances move with what is read beside the texts, and what each setting costs.

    python -m benchmarks.company --model embedded --dtype bfloat16 --preset meaning

It asks the service itself, without its cache: pairs one by one, all together, each beside a pair
of long texts, and all in one matrix; then again with `--batch-tokens 1`, where each call of the
model reads one text.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import numpy as np
from fastapi.testclient import TestClient

from benchmarks.subjects import find_subjects
from service.http.app import create_app
from service.settings import Settings
from similarity.arrays import FloatArray
from similarity.models.base import LanguageModel
from similarity.models.loader import DTYPES, EMBEDDED
from similarity.presets import MEANING, PRESETS
from similarity.texts.general import general_sentences

LONG = ("word " * 60, "a " * 90)

Pair = tuple[str, str]


@click.command()
@click.option("--model", default=EMBEDDED, show_default=True)
@click.option("--shape", help="Random weights of this shape instead.")
@click.option("--dtype", type=click.Choice(DTYPES), default="bfloat16", show_default=True)
@click.option("--preset", type=click.Choice(list(PRESETS)), default=MEANING, show_default=True)
@click.option("--pairs", "count", default=8, show_default=True)
def main(model: str, shape: str | None, dtype: str, preset: str, count: int) -> None:
    """Print the largest differences of distances, and pairs a second when asked together."""
    some = general_sentences()
    pairs = [(some[2 * i], some[2 * i + 1]) for i in range(count)]
    names, shapes = ([], [shape]) if shape else ([model], [])
    (subject,) = find_subjects(names, shapes, dtype)
    for batch_tokens in (int(Settings.model_fields["batch_tokens"].default), 1):
        with serving(subject.model, batch_tokens) as client:
            alone = np.array([distances(client, preset, [pair])[0] for pair in pairs])
            begin = time.perf_counter()
            together = distances(client, preset, pairs)
            seconds = time.perf_counter() - begin
            beside = np.array([distances(client, preset, [pair, LONG])[0] for pair in pairs])
            matrix = of_matrix(client, preset, pairs)
        moved = {"together": together, "beside long texts": beside, "in a matrix": matrix}
        told = ", ".join(f"{how} {np.abs(one - alone).max():.2g}" for how, one in moved.items())
        click.echo(
            f"{subject.name} {subject.model.info.dtype} {preset}, batch_tokens {batch_tokens}: "
            f"{told}; mean distance {alone.mean():.2f}; {count / seconds:.2f} pairs/s"
        )


@contextmanager
def serving(model: LanguageModel, batch_tokens: int) -> Iterator[TestClient]:
    """Serve a model that keeps nothing of what it has read."""
    settings = Settings.model_validate({"batch_tokens": batch_tokens, "cache_megabytes": 0})
    app = create_app(settings, lambda: model)
    with TestClient(app, base_url="http://127.0.0.1") as client:  # another name is refused
        yield client


def distances(client: TestClient, preset: str, pairs: list[Pair]) -> FloatArray:
    """Return the distance of each pair, as the service gives it."""
    answer = client.post("/v1/similarity", json={"pairs": pairs, "preset": preset})
    answer.raise_for_status()
    return np.array([result["distance"] for result in answer.json()["results"]])


def of_matrix(client: TestClient, preset: str, pairs: list[Pair]) -> FloatArray:
    """Return the distance of each pair, of a matrix of all texts."""
    texts = [text for pair in pairs for text in pair]
    answer = client.post("/v1/similarity", json={"rows": texts, "preset": preset})
    answer.raise_for_status()
    found = np.array(answer.json()["distances"])
    return np.array([found[2 * i, 2 * i + 1] for i in range(len(pairs))])


if __name__ == "__main__":
    main()
