"""A service in front of a server that pools: what it can do, and how the rest is refused."""

import httpx
import pytest

from similarity.models.vllm_server.loader import load_server
from similarity.vectors.config import VectorConfig
from similarity.vectors.fitting import fit
from similarity.vectors.recipes import TRIGRAMS
from similarity.vectors.storage import save
from tests.service.servers import running
from tests.similarity.models.fake_pooling_server import FakePoolingServer
from tests.similarity.models.fake_server import QUICK, FakeServer, transport

PAIR = ["A red car stops.", "A red bus stops."]


@pytest.fixture(scope="module")
def client():
    model = load_server("http://one:8000", QUICK, transport=transport(one=FakePoolingServer()))
    with running(model) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_it_offers_the_presets_of_vectors(client):
    (card,) = client.get("/v1/models").json()["data"]
    assert card["preset"] == "meaning"
    assert card["presets"] == ["fast", "meaning", "best"]


def test_it_compares_and_embeds(client):
    found = client.post("/v1/similarity", json={"pairs": [PAIR]}).json()
    assert found["calibrated"] is False
    assert 0 < found["results"][0]["distance"] < 2
    answer = client.post("/v1/embeddings", json={"input": PAIR, "model": "toy"})
    assert len(answer.json()["data"]) == 2


def test_an_explanation_says_why_it_has_no_words(client):
    body = {"pairs": [PAIR], "preset": "best", "explain": True}
    explanation = client.post("/v1/similarity", json=body).json()["results"][0]["explanation"]
    assert "implied" not in explanation
    assert "start the server to generate" in explanation["note"]
    assert explanation["overlap"]


@pytest.mark.parametrize(
    "asked", [{"preset": "paper"}, {"preset": "trajectories"}, {"n_trajectories": 2}]
)
def test_continuations_are_refused(client, asked):
    answer = client.post("/v1/similarity", json={"pairs": [PAIR], **asked})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "unsupported")
    assert "without --runner pooling" in answer.json()["error"]["message"]


def test_texts_own_words_are_compared_again_and_again_where_a_folder_has_no_more(tmp_path):
    """The model reads no token for them: the second request ended the service's only thread."""
    model = load_server("http://one:8000", QUICK, transport=transport(one=FakeServer()))
    texts = [f"Text number {i}." for i in range(20)]
    save(fit(model, texts, VectorConfig(groups=(TRIGRAMS,))), tmp_path / "own")
    with (
        running(model, vectors=str(tmp_path / "own"), preset="best") as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        for number in range(3):
            body = {"pairs": [[f"text {number}", "other"]], "preset": "best"}
            assert client.post("/v1/similarity", json=body).status_code == 200
