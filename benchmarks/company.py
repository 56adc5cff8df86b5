"""How far distances move with what is read beside the texts, in a precision.

    python -m benchmarks.company --model embedded --dtype bfloat16 --preset meaning

It asks the service itself, without its cache: pairs one by one, all together, and each beside a
pair of long texts; then again with `--batch-tokens 1`, where each call of the model reads one text.
"""

import argparse

import numpy as np
from fastapi.testclient import TestClient

from service.http.app import create_app
from service.settings import Settings
from similarity.texts.general import general_sentences

LONG = ["word " * 60, "a " * 90]


def main() -> None:
    """Print the largest differences of distances."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--preset", default="meaning")
    parser.add_argument("--pairs", type=int, default=8)
    options = parser.parse_args()
    some = general_sentences()
    pairs = [[some[2 * i], some[2 * i + 1]] for i in range(options.pairs)]
    for batch_tokens in (Settings.model_fields["batch_tokens"].default, 1):
        settings = Settings.model_validate(
            {
                "model": options.model,
                "dtype": options.dtype,
                "batch_tokens": batch_tokens,
                "cache_megabytes": 0,
            }
        )
        with TestClient(create_app(settings)) as client:
            alone = np.array([distances(client, options.preset, [pair])[0] for pair in pairs])
            together = np.array(distances(client, options.preset, pairs))
            beside = np.array(
                [distances(client, options.preset, [pair, LONG])[0] for pair in pairs]
            )
        print(
            f"{options.model} {options.dtype} {options.preset}, batch_tokens {batch_tokens}: "
            f"together {np.abs(together - alone).max():.2g}, beside long texts "
            f"{np.abs(beside - alone).max():.2g}; mean distance {alone.mean():.2f}",
            flush=True,
        )


def distances(client: TestClient, preset: str, pairs: list[list[str]]) -> list[float]:
    """Return the distance of each pair, as the service gives it."""
    answer = client.post("/v1/similarity", json={"pairs": pairs, "preset": preset})
    answer.raise_for_status()
    return [result["distance"] for result in answer.json()["results"]]


if __name__ == "__main__":
    main()
