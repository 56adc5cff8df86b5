"""Which way a request's texts are compared, and that it is the library's numbers that come."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from service.client import Client
from service.http.app import served_vectors
from service.settings import Settings
from similarity.api import compare
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.loader import load_server
from similarity.scorers import open_scorer
from similarity.vectors import fit, save
from tests.service.servers import running
from tests.similarity.models.fake_server import QUICK, FakeServer, transport
from tests.similarity.vectors.conftest import TINY_CONFIG, TOY_CONFIG
from tests.toy_models import SilentModel

TEXTS = [f"{i} texts of {i * i} letters" for i in range(60)]
PAIRS = [["a b", "c d"], ["a b", "a b"], ["a b", "e f"]]
SMALL = {"n_trajectories": 3, "max_tokens": 4}


@pytest.fixture(scope="module")
def folder(toy_model: ToyModel, tmp_path_factory) -> str:
    config = TOY_CONFIG
    folder: Path = tmp_path_factory.mktemp("vectors")
    save(fit(toy_model, TEXTS, config), folder)
    return str(folder)


@pytest.fixture
def client(open_client, folder):
    return open_client(vectors=folder)


def ask(client, **body):
    return client.post("/v1/similarity", json=body)


def test_the_best_there_is_unless_the_request_says_otherwise(client, folder):
    best = open_scorer(ToyModel(), vectors=folder)
    expected = [score.distance for score in best.score(PAIRS)]
    for asked in ({}, {"preset": "meaning"}, {"explain": False}):
        answer = ask(client, pairs=PAIRS, **asked).json()
        assert [one["distance"] for one in answer["results"]] == pytest.approx(expected, abs=1e-6)
        assert answer["fingerprint"]["id"] == best.fingerprint.digest
        assert answer["usage"]["sampled_tokens"] == 0 < answer["usage"]["scored_tokens"]
    assert answer["results"][1] == {"similarity": 1, "distance": 0}

    paper = compare(ToyModel(), *PAIRS[0], preset="paper")
    small = compare(ToyModel(), *PAIRS[0], ComparisonConfig.build(**SMALL))
    for asked, expected_one in (
        ({"preset": "paper"}, paper),
        ({"interval": 0.9}, paper),
        (SMALL, small),
        ({"preset": "paper", **SMALL}, small),
    ):
        answer = ask(client, pairs=PAIRS[:1], **asked).json()
        assert answer["results"][0]["distance"] == pytest.approx(expected_one.distance, abs=1e-6)
        assert answer["fingerprint"]["id"] == expected_one.fingerprint.digest


def test_a_matrix_and_the_dialects_too(client, folder):
    (_, _, score) = open_scorer(ToyModel(), vectors=folder).score(PAIRS)
    matrix = ask(client, rows=["a b", "e f"]).json()
    assert matrix["distances"][0] == pytest.approx([0, score.distance], abs=1e-6)
    inputs = {"source_sentence": "a b", "sentences": ["e f"]}
    (similarity,) = client.post("/similarity", json={"inputs": inputs}).json()
    assert similarity == pytest.approx(score.similarity, abs=1e-6)
    ranked = client.post("/v2/rerank", json={"query": "a b", "documents": ["e f", "a b"]}).json()
    assert [item["index"] for item in ranked["results"]] == [1, 0]
    assert ranked["results"][1]["relevance_score"] == pytest.approx(score.similarity, abs=1e-6)


def test_an_answer_says_how_the_texts_were_compared(client):
    plain = ask(client, pairs=PAIRS[:1]).json()
    assert (plain["preset"], plain.get("warnings")) == ("meaning", None)
    named = ask(client, pairs=PAIRS[:1], preset="paper", **SMALL).json()
    assert (named["preset"], named.get("warnings")) == ("paper", None)
    for body in ({"pairs": PAIRS[:1]}, {"rows": ["a b"]}, {"rows": ["a b"], "explain": True}):
        answer = ask(client, **body, **SMALL).json()
        assert answer["preset"] == "paper"
        (warning,) = answer["warnings"]
        assert "is a setting of trajectories, so this is preset paper" in warning
        assert "the preset is meaning" in warning


def test_an_answer_names_its_scale_and_warns_of_texts_that_the_model_hardly_knows(client):
    pairs = [["a b", "Привет"], ["Привет", "море"]]
    rows = ["a b", "Привет", "море"]
    for body in ({"pairs": pairs}, {"pairs": pairs, "explain": True}, {"rows": rows}):
        answer = ask(client, **body, preset="paper").json()
        assert (answer["calibrated"], answer["scale"]) == (False, "none")
        for text, warning in zip(("Привет", "море"), answer["warnings"], strict=True):
            assert f"hardly knows the script, language or spelling of '{text}'" in warning
    known, *others = ask(client, source="a b", targets=["Привет"], **SMALL).json()["warnings"]
    assert "is a setting of trajectories" in known
    assert len(others) == 1


def test_a_score_is_explained_by_what_made_it(client, folder):
    best = open_scorer(ToyModel(), "best", vectors=folder)
    (expected,) = best.explain([("a b", "c d")], top=2)
    answer = ask(client, pairs=PAIRS[:1], explain=True, top=2, preset="best").json()
    (result,) = answer["results"]
    assert result["distance"] == pytest.approx(expected.score.distance, abs=1e-6)
    assert answer["fingerprint"]["id"] == best.fingerprint.digest
    explanation = result["explanation"]
    assert explanation["method"] == "vectors"
    assert explanation["cosine"] == pytest.approx(1 - result["distance"], abs=1e-4)
    assert explanation["shares"] == pytest.approx(expected.shares, abs=1e-6)
    assert explanation["weights"] == pytest.approx(expected.weights, abs=1e-6)
    assert len(explanation["overlap"]) == 2
    implied = expected.to_dict()["implied"]
    for kind in ("both", "first", "second"):
        words = [word["word"] for word in explanation["implied"][kind]]
        assert words == [word["word"] for word in implied[kind]]
    paper = ask(client, pairs=PAIRS[:1], explain=True, preset="paper", **SMALL).json()
    assert paper["results"][0]["explanation"]["method"] == "trajectories"


def test_what_contradicts_itself_is_refused(client, open_client):
    for body in ({"preset": "best", "seed": 1}, {"preset": "best", "interval": 0.9}):
        answer = ask(client, pairs=PAIRS, **body)
        assert answer.status_code == 422
        assert "is a setting of trajectories" in answer.json()["error"]["message"]
    answer = ask(open_client(SilentModel()), pairs=PAIRS, preset="best")
    assert answer.status_code == 422
    assert "have trajectories only" in answer.json()["error"]["message"]
    assert ask(client, pairs=PAIRS, preset="worst").status_code == 422


def test_the_service_has_a_preset_of_its_own(open_client, folder):
    client = open_client(vectors=folder, preset="paper")
    answer = ask(client, pairs=PAIRS[:1]).json()
    assert answer["results"][0]["distance"] == pytest.approx(
        compare(ToyModel(), *PAIRS[0], preset="paper").distance
    )
    card = client.get("/v1/models").json()["data"][0]
    assert (card["preset"], card["presets"]) == ("paper", ["paper", "fast", "meaning", "best"])
    card = open_client(SilentModel()).get("/v1/models").json()["data"][0]
    assert (card["preset"], card["presets"]) == ("paper", ["paper", "trajectories"])
    with pytest.raises(ConfigError, match="have trajectories only"):
        open_client(SilentModel(), preset="best")


def test_parts_of_vectors_are_kept_apart(open_client, tiny, tmp_path):
    model = tiny("llama")
    save(fit(model, TEXTS, TINY_CONFIG), tmp_path)
    client = open_client(model, vectors=str(tmp_path))
    for _ in range(2):  # the second time from the cache
        for preset in ("fast", "best"):
            scores = open_scorer(model, preset, vectors=str(tmp_path)).score(PAIRS)
            answer = ask(client, pairs=PAIRS, preset=preset).json()
            found = [one["distance"] for one in answer["results"]]
            assert found == pytest.approx([score.distance for score in scores], abs=1e-5)
    assert answer["usage"]["cached_tokens"] == answer["usage"]["scored_tokens"]


def test_intervals(client):
    paper = compare(ToyModel(), *PAIRS[0], ComparisonConfig.build(**SMALL))
    answer = ask(client, pairs=PAIRS[:1], interval=0.9, explain=True, **SMALL).json()
    (result,) = answer["results"]
    assert result["interval"]["distance"] == pytest.approx(paper.interval(0.9).distance)
    assert result["interval"]["similarity"] == pytest.approx(paper.interval(0.9).similarity)
    assert result["explanation"]["continuations"]
    matrix = ask(client, rows=["a b", "c d"], interval=0.9, **SMALL).json()
    assert matrix["intervals"][0][1] == result["interval"]
    assert "explanations" not in matrix
    for wrong in ({"interval": 1}, {"interval": 0.9, "distance": "linf"}):
        assert ask(client, pairs=PAIRS, **wrong).status_code == 422
    alone = ask(client, pairs=PAIRS, interval=0.9, n_trajectories=1)
    assert "at least 2" in alone.json()["error"]["message"]


def test_the_client_asks_for_them(folder):
    with running(ToyModel(), vectors=folder) as url, Client(url) as client:
        expected = open_scorer(ToyModel(), vectors=folder).score(PAIRS)
        found = client.similarity([(u, v) for u, v in PAIRS])
        assert [score.distance for score in found] == pytest.approx([s.distance for s in expected])
        (paper,) = client.similarity([("a b", "c d")], preset="paper", interval=0.95)
        low, high = compare(ToyModel(), "a b", "c d", preset="paper").interval().distance
        assert paper.interval is not None
        assert paper.interval.distance == pytest.approx((low, high))
        (scored,) = client.one_to_many("a b", ["c d"], interval=0.95)
        # It alone was not asked for by name.
        assert "so this is preset paper" in scored.warnings[0]
        assert replace(scored, warnings=()) == paper


def test_the_field_that_is_wrong_is_named(client):
    answer = ask(client, pairs=PAIRS, preset="trajectories")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (422, "preset"), error
    assert error["message"].startswith("preset trajectories compares by")


@pytest.mark.parametrize("distance", ["step-kl", "relative-total-variation"])
def test_a_distance_of_whole_distributions_is_of_the_library_alone(client, distance):
    answer = ask(client, pairs=PAIRS[:1], preset="paper", distance=distance, **SMALL)
    assert answer.status_code == 501
    message = answer.json()["error"]["message"]
    # It blamed the way in which the model is reached, and that one gives them.
    assert message.startswith("the service does not give whole next-token distributions")
    assert message.endswith("in Python or by the command line, with the model in that process")


def test_a_preset_that_a_server_cannot_serve_is_refused_with_the_cause(monkeypatch):
    """The answer spoke of vectors, of which the client had given none."""
    backend = FakeServer()
    backend.gives_chosen = False
    model = load_server("http://one:8000", QUICK, transport=transport(one=backend))
    with pytest.raises(
        ConfigError, match=r"no log-probabilities of chosen tokens are to be had \(http"
    ):
        served_vectors(Settings(preset="fast"), model)
    # Its reference trajectories take minutes.
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    with running(model) as url, httpx.Client(base_url=url, timeout=60) as client:
        for route, body in (
            ("/v1/similarity", {"pairs": [["a", "b"]], "preset": "fast"}),
            ("/v1/embeddings", {"input": "a", "model": "toy", "preset": "fast"}),
        ):
            answer = client.post(route, json=body)
            assert answer.status_code == 422, answer.text
            said = answer.json()["error"]["message"]
            assert "the model's server gives no log-probabilities of chosen tokens" in said
            assert "http://one" not in said


def test_a_preset_that_the_service_did_not_read_says_who_can_have_it_read() -> None:
    """It spoke of vectors of one's own, where there were none."""
    with running(ToyModel()) as url:
        answer = httpx.post(
            f"{url}/v1/similarity", json={"pairs": PAIRS, "preset": "trajectories"}, timeout=60
        )
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert "may have trajectories read by --preset trajectories" in message
    assert "trajsim fit" not in message
    with running(ToyModel(), preset="trajectories") as url:
        found = httpx.post(f"{url}/v1/similarity", json={"pairs": PAIRS}, timeout=60)
        assert (found.status_code, found.json()["preset"]) == (200, "trajectories")
