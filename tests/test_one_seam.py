"""The same pair has the same score, and the same fingerprint, at every door."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

import similarity
from eval.methods.base import Setting
from eval.methods.scorers import REFERENCES, VECTOR_METHODS, trajectories
from service.http.app import create_app
from service.settings import Settings
from similarity.batch import BatchFiles, open_batch
from similarity.cli.main import main
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.config import ComparisonConfig
from similarity.models.toy import ToyModel
from similarity.presets import PAPER, PRESETS
from similarity.results import Score
from similarity.vectors.index import Hit, rerank

PAIR = ("a red car", "the old sea")
presets = pytest.mark.parametrize("preset", [None, *PRESETS])


def at_the_library(preset: str | None) -> Score:
    return similarity.compare(ToyModel(), *PAIR, preset=preset)


@presets
def test_the_command_line(preset: str | None) -> None:
    chosen = () if preset is None else ("--preset", preset)
    arguments = ("compare", "--model", "toy", *PAIR, *chosen, "--json")
    content = json.loads(CliRunner().invoke(main, arguments).stdout)
    expected = at_the_library(preset)
    assert content["distance"] == pytest.approx(expected.distance, abs=1e-6)
    assert content["similarity"] == pytest.approx(expected.similarity, abs=1e-6)
    assert content["fingerprint"]["id"] == expected.fingerprint.digest
    explained = json.loads(CliRunner().invoke(main, ("explain", *arguments[1:])).stdout)
    assert explained["distance"] == content["distance"]
    assert explained["fingerprint"] == content["fingerprint"]


@presets
def test_http(preset: str | None) -> None:
    # A service reads reference trajectories only where its own preset compares by them.
    own = preset if preset == "trajectories" else None
    with TestClient(create_app(Settings(model="toy", preset=own)), "http://localhost") as client:
        body: dict[str, Any] = {"pairs": [PAIR]} | ({} if preset is None else {"preset": preset})
        answer = client.post("/v1/similarity", json=body).json()
        explained = client.post("/v1/similarity", json={**body, "explain": True}).json()
    expected = at_the_library(preset)
    for content in (answer, explained):
        assert content["results"][0]["distance"] == pytest.approx(expected.distance, abs=1e-6)
        assert content["fingerprint"]["id"] == expected.fingerprint.digest


@presets
def test_a_batch(preset: str | None, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"custom_id": "", "pair": PAIR}) + "\n", encoding="utf-8")
    scorer = similarity.open_scorer(ToyModel(), preset)
    with open_batch(scorer, BatchFiles(input=source, output=out)) as batch:
        batch.run()
    content = json.loads(out.read_text(encoding="utf-8"))
    expected = at_the_library(preset)
    assert content["distance"] == pytest.approx(expected.distance, abs=1e-6)
    assert content["fingerprint"] == expected.fingerprint.digest


@presets
def test_an_evaluation(preset: str | None) -> None:
    if preset == PAPER:
        method = trajectories(Setting(model=ToyModel(), config=ComparisonConfig()))
    else:
        name = REFERENCES if preset == "trajectories" else preset or "meaning"
        method = VECTOR_METHODS[name](Setting(model=ToyModel()))
    expected = at_the_library(preset)
    assert method.score([PAIR]) == [pytest.approx(-expected.distance, abs=1e-6)]
    assert method.settings == expected.fingerprint.config.to_dict()


@presets
def test_the_adapters_and_reranking(preset: str | None) -> None:
    expected = at_the_library(preset).similarity
    encoder = TrajectoryCrossEncoder(ToyModel(), preset=preset)
    assert float(encoder.predict(PAIR)) == pytest.approx(expected, abs=1e-6)
    scorer = similarity.open_scorer(ToyModel(), preset)
    (hit,) = rerank(scorer, PAIR[0], [Hit(0, PAIR[1], 0.0)])
    assert hit.similarity == pytest.approx(expected, abs=1e-6)
