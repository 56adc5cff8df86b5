"""How far log-probabilities in half precision are from those in float32, in one process.

Run as `python -m benchmarks.precision`.
"""

import click
import numpy as np

from benchmarks.pairs import SENTENCES
from similarity.arrays import LogProbs
from similarity.cli.choices import ModelChoice, open_model
from similarity.law import Law
from similarity.models.base import LanguageModel, SampleRequest, ScoreRequest
from similarity.models.loader import EMBEDDED

TRAJECTORIES = 10
TOKENS = 20


@click.command()
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
def main(model_name: str) -> None:
    """Print mean and largest difference to float32, nats per token, of the same tokens."""
    exact = open_model(ModelChoice(model_name, dtype="float32"))
    requests = sampled_requests(exact)
    expected = scores(exact, requests)
    for dtype in ("float16", "bfloat16"):
        gaps = np.abs(scores(open_model(ModelChoice(model_name, dtype=dtype)), requests) - expected)
        click.echo(f"{dtype}: mean {gaps.mean():.4f}, largest {gaps.max():.3f} of {gaps.size}")


def sampled_requests(model: LanguageModel) -> list[ScoreRequest]:
    """Return requests to score each sentence's own trajectories."""
    prefixes = [model.encode(sentence) for sentence in SENTENCES]
    sampled = model.sample(
        [
            SampleRequest(prefix=prefix, n=TRAJECTORIES, max_tokens=TOKENS, key=i)
            for i, prefix in enumerate(prefixes)
        ],
        Law(),
    )
    return [
        ScoreRequest(prefix=prefix, continuations=tuple(c.token_ids for c in row))
        for prefix, row in zip(prefixes, sampled, strict=True)
    ]


def scores(model: LanguageModel, requests: list[ScoreRequest]) -> LogProbs:
    """Return all log-probabilities, shape "token" in nats."""
    return np.concatenate([row for rows in model.score(requests, Law()) for row in rows])


if __name__ == "__main__":
    main()
