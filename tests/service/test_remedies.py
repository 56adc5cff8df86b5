"""A text that is too long, at every door of the service: what the refusal advises is there."""

import pytest

from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

# Longer than the toy's context of 4,096 bytes, with fewer characters than the service allows.
LONG = "the red car " * 350
SMALL = {"n_trajectories": 2, "max_tokens": 4}

# A body with a text that is too long, for each path that takes texts, in each of its forms.
BODIES = [
    ("/v1/similarity", {"pairs": [["a", LONG]]}),
    ("/v1/similarity", {"rows": ["a", LONG], **SMALL}),
    ("/v1/similarity", {"source": "a", "targets": [LONG], "explain": True}),
    ("/v1/entailment", {"pairs": [["a", LONG]]}),
    ("/v1/entailment", {"pairs": [["a", LONG]], "estimator": "paper", **SMALL}),
    ("/v1/consensus", {"texts": ["a", LONG], "question": "which?"}),
    ("/v1/cluster", {"texts": ["a", LONG]}),
    ("/v1/dedupe", {"texts": ["a", LONG]}),
    ("/v1/trajectories", {"texts": [LONG], **SMALL}),
    ("/v1/likelihoods", {"texts": [LONG], "continuations": [" a"]}),
    ("/", {"inputs": LONG}),
    ("/", {"inputs": {"source_sentence": "a", "sentences": [LONG]}}),
    ("/similarity", {"inputs": {"source_sentence": "a", "sentences": [LONG]}}),
    ("/embed", {"inputs": [LONG]}),
    ("/score", {"queries": "a", "documents": [LONG]}),
    ("/score", {"text_1": "a", "text_2": [LONG]}),
    ("/v1/score", {"queries": "a", "documents": [LONG]}),
    ("/rerank", {"query": "a", "texts": [LONG]}),
    ("/rerank", {"query": "a", "documents": [LONG], "truncation": False}),
    ("/v1/rerank", {"query": "a", "documents": [LONG], "truncation": False}),
    ("/v2/rerank", {"query": "a", "documents": [LONG], "truncation": False}),
    ("/v1/embed", {"texts": [LONG], "truncate": "NONE"}),
    ("/v2/embed", {"texts": [LONG], "truncate": "NONE"}),
    ("/v1/embeddings", {"input": [LONG]}),
]
# No text is too long for these, or none is read; /embed_all, which the toy has not, is in
# test_tokens.py.
OTHERS = {"/predict", "/embed_sparse", "/tokenize", "/decode", "/detokenize", "/embed_all"}


@pytest.fixture
def client(open_client, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    save(fit(ToyModel(), sentences(60), TOY_CONFIG), folder)
    return open_client(vectors=str(folder))


def test_every_path_that_takes_texts_is_tried(client):
    paths = client.get("/openapi.json").json()["paths"]
    posted = {path for path, methods in paths.items() if "post" in methods}
    assert {path for path, _ in BODIES} == posted - OTHERS


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_the_remedy_that_is_named_is_there(client, path, body):
    refused = client.post(path, json=body)
    assert refused.status_code == 422, refused.text
    error = refused.json()["error"]
    assert error["code"] == "text_too_long"
    assert "(truncate)" in error["message"]
    answers = [client.post(path, json={**body, "truncate": way}) for way in ("end", "END", True)]
    taken = [answer for answer in answers if answer.status_code == 200]
    assert taken, [answer.text for answer in answers]
    assert all(answer.headers["x-truncated-texts"] == "1" for answer in taken)
