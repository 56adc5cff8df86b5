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
    # In place of one by which it was refused.
    others = {name: value for name, value in body.items() if name != "truncation"}
    ways = ("end", "END", True)
    answers = [client.post(path, json={**others, "truncate": way}) for way in ways]
    taken = [answer for answer in answers if answer.status_code == 200]
    assert taken, [answer.text for answer in answers]
    assert all(answer.headers["x-truncated-texts"] == "1" for answer in taken)


# More characters than the service allows.
HUGE = "b" * 100_001


def places_of_texts(value, place=""):
    """Give the place of each text in a body."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("estimator", "truncate"):
                yield from places_of_texts(inner, f"{place}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from places_of_texts(inner, f"{place}[{i}]")


def with_text(value, wanted, text, place=""):
    """Return a body with another text in one place, and short ones in all others."""
    if isinstance(value, dict):
        names = {name: f"{place}.{name}".removeprefix(".") for name in value}
        return {name: with_text(value[name], wanted, text, names[name]) for name in value}
    if isinstance(value, list):
        return [with_text(one, wanted, text, f"{place}[{i}]") for i, one in enumerate(value)]
    return text if place == wanted else "a red car" if value == LONG else value


TOKENIZED = [("/tokenize", {"inputs": ["a", LONG]}), ("/tokenize", {"prompt": LONG})]
PLACES = [
    (path, body, place) for path, body in [*BODIES, *TOKENIZED] for place in places_of_texts(body)
]


@pytest.mark.longer
@pytest.mark.parametrize("text", [LONG, HUGE], ids=["tokens", "characters"])
@pytest.mark.parametrize(("path", "body", "place"), PLACES)
def test_a_text_that_is_too_long_is_named_by_its_place(client, path, body, place, text):
    answer = client.post(path, json=with_text(body, place, text))
    if path == "/tokenize" and text == LONG:
        assert answer.status_code == 200
        return
    assert answer.status_code == (413 if text == HUGE else 422), answer.text
    error = answer.json()["error"]
    assert error["param"] == place
    assert error["message"].startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/decode", {"ids": [[5], [5000]]}, "ids[1][0]"),
        ("/detokenize", {"tokens": [5000]}, "tokens[0]"),
        ("/v1/embeddings", {"input": [[97], [5000]], "tokenizer": "model"}, "input[1][0]"),
        ("/v1/trajectories", {"texts": ["a"], "n_trajectories": 5000}, "n_trajectories"),
        ("/v1/trajectories", {"texts": ["a"], "max_tokens": 5000}, "max_tokens"),
        ("/v1/consensus", {"texts": ["a", "b"], "question": "b" * 19_999}, "texts[0]"),
        ("/v1/embeddings", {"input": ["a"] * 20_000}, "input"),
        (
            "/",
            {"inputs": {"source_sentence": "a", "sentences": ["a"] * 20_000}},
            "inputs.sentences",
        ),
    ],
)
def test_another_field_that_is_wrong_is_named(client, path, body, place):
    answer = client.post(path, json=body)
    assert answer.status_code in (413, 422), answer.text
    assert answer.json()["error"]["param"] == place


def test_without_a_question_a_text_may_have_all_characters_that_are_allowed(client):
    """One more was counted, for a space."""
    answer = client.post("/v1/consensus", json={"texts": ["b" * 20_000, "a"]})
    assert answer.json()["error"]["code"] == "text_too_long"  # of the model's tokens
