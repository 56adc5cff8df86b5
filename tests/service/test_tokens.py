"""Tokens and their states, in the dialects of text-embeddings-inference and vLLM."""

import numpy as np
import pytest

import similarity
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel

SIMPLE_TOKEN = {"id", "text", "special", "start", "stop"}


@pytest.fixture(scope="module")
def embedded():
    return similarity.load_model("embedded")


@pytest.fixture
def client(open_client, embedded):
    return open_client(embedded)


def test_tokens_as_text_embeddings_inference_has_them(client, embedded):
    text = "A dog runs, 犬犬 naïve."
    (row,) = client.post("/tokenize", json={"inputs": text}).json()
    assert [token["id"] for token in row] == list(embedded.encode(text))
    assert all(set(token) == SIMPLE_TOKEN for token in row)
    assert [token["special"] for token in row[:2]] == [True, False]
    placed = [token for token in row if token["start"] is not None]
    assert all(text[t["start"] : t["stop"]] == t["text"] for t in placed)
    assert {"A", " dog", "."} <= {token["text"] for token in placed}
    body = {"inputs": [text, "x"], "add_special_tokens": False}
    bare = client.post("/tokenize", json=body).json()
    assert bare[0] == row[1:]
    assert len(bare) == 2


def test_a_prompt_that_the_model_does_not_have_is_refused(client):
    body = {"inputs": "A dog runs.", "prompt_name": "query"}
    answer = client.post("/tokenize", json=body)
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert message.startswith("prompt_name: the model has no prompts of such names")
    assert client.post("/tokenize", json={**body, "prompt_name": None}).status_code == 200


def test_tokens_as_vllm_has_them(client, embedded):
    answer = client.post("/tokenize", json={"model": "any", "prompt": "A dog runs."}).json()
    ids = list(embedded.encode("A dog runs."))
    assert answer == {"count": len(ids), "max_model_len": 512, "tokens": ids}
    text = client.post("/detokenize", json={"model": "any", "tokens": ids}).json()
    assert text == {"prompt": "A dog runs."}


def test_texts_of_token_ids(client, embedded):
    ids = list(embedded.encode("A dog runs."))
    assert client.post("/decode", json={"ids": ids}).json() == ["A dog runs."]
    assert client.post("/decode", json={"ids": [ids, ids]}).json() == ["A dog runs."] * 2
    for path, body in (("/decode", {"ids": [10**6]}), ("/detokenize", {"tokens": [10**6]})):
        error = client.post(path, json=body).json()["error"]
        assert error["code"] == "invalid_text"
        assert "below 8192" in error["message"]


def test_a_vector_of_each_token_is_the_networks_state(client, embedded):
    texts = ["A dog runs.", "x"]
    found = client.post("/embed_all", json={"inputs": texts}).json()
    for rows, text in zip(found, texts, strict=True):
        (expected,) = embedded.hidden_states([embedded.encode(text)])
        np.testing.assert_allclose(rows, expected, atol=2e-5)
    one = client.post("/embed_all", json={"inputs": texts[0]}).json()
    np.testing.assert_allclose(one[0], found[0], atol=2e-5)


def test_states_of_a_text_that_repeats_are_computed_once(open_client):
    """513 times one text were refused as so many different ones."""
    model, read = FaultyModel(), []

    def hidden_states(prefixes, _on_progress):
        read.extend(prefixes)
        return [np.full((len(ids), 2), len(ids), dtype=np.float32) for ids in prefixes]

    model.hidden_states = hidden_states
    answer = open_client(model).post("/embed_all", json={"inputs": ["a", "bc"] * 300})
    assert answer.status_code == 200, answer.text
    assert answer.json()[:4] == [[[1, 1]], [[2, 2]] * 2] * 2
    assert len(answer.json()) == 600
    assert len(read) == 2


def test_states_of_long_texts_are_refused_or_cut(client):
    long = "x " * 600
    refused = client.post("/embed_all", json={"inputs": ["a", long]})
    assert refused.json()["error"]["param"] == "inputs[1]"
    cut = client.post("/embed_all", json={"inputs": long, "truncate": True})
    assert cut.headers["x-truncated-texts"] == "1"
    assert len(cut.json()[0]) == 512


def test_tokens_that_would_make_too_large_an_answer_are_refused_once_that_is_known(
    open_client, monkeypatch
):
    """All texts were tokenized before, which takes seconds."""
    encoded = []
    known = ToyModel.encode
    monkeypatch.setattr(
        ToyModel, "encode", lambda model, text: encoded.append(text) or known(model, text)
    )
    client = open_client(max_answer_bytes=100_000)
    before = len(encoded)
    texts = [f"{number} {'a' * 1_000}" for number in range(200)]
    answer = client.post("/tokenize", json={"inputs": texts})
    assert answer.status_code == 413
    assert "bytes of answer" in answer.json()["error"]["message"]
    assert 0 < len(encoded) - before < 50


def test_states_that_would_make_too_large_an_answer_are_refused(open_client, embedded):
    client = open_client(embedded, max_answer_bytes=100_000)
    answer = client.post("/embed_all", json={"inputs": ["a b c d e"] * 100})
    assert answer.status_code == 413


def test_a_model_that_gives_no_states_says_so(open_client):
    answer = open_client(ToyModel()).post("/embed_all", json={"inputs": "a"})
    assert answer.status_code == 501
    # Toy is in this process, so that it is loaded there is no help.
    assert answer.json()["error"]["message"] == (
        "toy does not give hidden states here; "
        "give a model that is a network, such as embedded or smollm2"
    )


def test_a_failure_of_the_model_is_no_answer(open_client):
    model = FaultyModel()
    model.hidden_states = lambda prefixes, on_progress: 1 / 0
    assert open_client(model).post("/embed_all", json={"inputs": "a"}).status_code == 500


@pytest.mark.parametrize("path", ["/predict", "/embed_sparse"])
@pytest.mark.parametrize("inputs", ["a", ["a", "b"], [["a", "b"]]])
def test_what_there_is_not_is_refused_with_what_there_is(client, path, inputs):
    answer = client.post(path, json={"inputs": inputs, "truncate": True})
    assert answer.status_code == 501
    assert "POST /" in answer.json()["error"]["message"]
