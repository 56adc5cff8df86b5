"""Texts that are too long: refused here, cut by the dialects of servers that cut, and said so."""

import time

import pytest

from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG

# Longer than the toy's context of 4,096 bytes, and than the characters allowed of one text.
LONG = "abc " + "x" * 5000 + " xyz"
HEADER = "x-truncated-texts"
PAPER = {"n_trajectories": 2, "max_tokens": 4}


@pytest.fixture
def client(open_client, tmp_path_factory):
    vectors = fit(ToyModel(), [f"{i} texts of {i * i} letters" for i in range(60)], TOY_CONFIG)
    folder = tmp_path_factory.mktemp("vectors")
    save(vectors, folder)
    return open_client(vectors=str(folder), max_characters=4500)


def similarity_body(**more):
    return {"pairs": [["a", "b"], ["a", LONG]], **more}


REFUSED = [
    ("/v1/similarity", similarity_body()),
    ("/v1/similarity", similarity_body(truncate="refuse")),
    ("/similarity", {"inputs": {"source_sentence": "a", "sentences": [LONG]}}),
    ("/embed", {"inputs": ["a", LONG], "truncate": False}),
    ("/rerank", {"query": "a", "texts": [LONG]}),
    ("/score", {"text_1": "a", "text_2": LONG}),
    ("/v1/rerank", {"query": "a", "documents": [LONG], "truncation": False}),
    ("/v1/embeddings", {"input": ["a", LONG]}),
    ("/v1/embeddings", {"input": ["a", LONG], "truncate": "refuse"}),
    ("/v2/embed", {"texts": [LONG], "truncate": "NONE"}),
]
RESEARCH = {
    "/v1/trajectories": {"texts": ["a", LONG], "truncate": "end", **PAPER},
    "/v1/likelihoods": {"texts": ["a", LONG], "continuations": ["b"], "truncate": "start"},
}
CUT = [
    *RESEARCH.items(),
    ("/v1/similarity", similarity_body(truncate="end")),
    ("/v1/similarity", similarity_body(truncate="start", **PAPER)),
    ("/v1/similarity", {"rows": ["a", LONG], "truncate": "end"}),
    (
        "/similarity",
        {"inputs": {"source_sentence": "a", "sentences": [LONG]}, "parameters": {"truncate": True}},
    ),
    ("/", {"inputs": LONG, "truncate": True, "truncation_direction": "left"}),
    ("/embed", {"inputs": ["a", LONG], "truncate": True}),
    ("/rerank", {"query": "a", "texts": [LONG], "truncate": True}),
    ("/score", {"text_1": "a", "text_2": LONG, "truncate_prompt_tokens": -1}),
    ("/score", {"queries": "a", "documents": LONG, "truncate": "end"}),
    ("/v1/rerank", {"query": "a", "documents": [LONG]}),
    ("/v2/rerank", {"query": "a", "documents": [LONG]}),
    ("/v1/embeddings", {"input": ["a", LONG], "truncate": "end"}),
    ("/v1/embeddings", {"input": ["a", LONG], "truncate": True}),
    ("/v1/embeddings", {"input": ["a", LONG], "truncation": True}),
    ("/v2/embed", {"texts": [LONG]}),
]


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_refused(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code in (413, 422), answer.text
    assert HEADER not in answer.headers


@pytest.mark.parametrize(("path", "body"), CUT)
def test_cut_with_the_number_of_texts_in_a_header(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers[HEADER] == "1"


# Whose answers have a place for warnings, in `meta` or not.
WARNING = ("/v1/similarity", "/v1/rerank", "/v2/rerank", "/v2/embed", *RESEARCH)


@pytest.mark.parametrize(("path", "body"), [one for one in CUT if one[0] in WARNING])
def test_own_answers_and_those_of_cohere_name_the_texts_that_were_cut(client, path, body):
    """Those of some had the header alone, which a client's objects do not show."""
    answer = client.post(path, json=body).json()
    warnings = answer.get("meta", answer)["warnings"]
    assert sum(f"characters of {len(LONG)} were read" in warning for warning in warnings) == 1


def test_nothing_is_said_of_texts_that_fit(client):
    for path, body in (
        ("/v1/rerank", {"query": "a", "documents": ["b"]}),
        ("/embed", {"inputs": "a"}),
    ):
        answer = client.post(path, json=body)
        assert HEADER not in answer.headers
        assert "warnings" not in answer.text


def test_the_part_that_is_left_is_compared_and_reported(client):
    cut = client.post("/v1/similarity", json=similarity_body(truncate="end")).json()
    assert "its first 4056 characters of 5008 were read" in cut["warnings"][0]
    alone = client.post("/v1/similarity", json={"pairs": [["a", LONG[:4056]]]}).json()
    assert cut["results"][1] == alone["results"][0]
    ranked = client.post("/v2/rerank", json={"query": "a", "documents": [LONG]}).json()
    assert "were read" in ranked["meta"]["warnings"][0]


OWN = [
    ("/v1/trajectories", {"texts": None, **PAPER}),
    ("/v1/likelihoods", {"texts": None, "continuations": ["a"]}),
    ("/v1/entailment", {"pairs": None, "estimator": "paper", **PAPER}),
    ("/v1/consensus", {"texts": None}),
    ("/v1/cluster", {"texts": None, "k": 2, "preset": "fast"}),
    ("/v1/dedupe", {"texts": None, "preset": "fast"}),
]


@pytest.mark.parametrize(("path", "body"), OWN)
def test_every_route_of_our_own_names_the_texts_that_it_cut(client, path, body):
    """Two named none, and of very many some named all."""
    long = [f"{i} {LONG}" for i in range(12)]
    for texts, count in ((["a", LONG], 1), (long, 11)):
        given = [["a", text] for text in texts] if "pairs" in body else texts
        name = "pairs" if "pairs" in body else "texts"
        answer = client.post(path, json={**body, name: given, "truncate": "end"})
        assert answer.status_code == 200, answer.text
        assert answer.headers[HEADER] == str(len(texts) - texts.count("a"))
        warnings = answer.json()["warnings"]
        assert len(warnings) == count
        assert "is too long: its first" in warnings[0]
    assert warnings[-1] == "there are 2 more warnings, of other texts"


def test_a_text_that_is_too_long_for_the_model_is_named_by_its_place(client):
    long = LONG[:4200]
    for path, body, place in (
        ("/v1/similarity", {"pairs": [["a", "b"], ["a", long]]}, "pairs[1][1]"),
        ("/v1/embeddings", {"input": ["a", "b", long]}, "input[2]"),
        ("/score", {"queries": "a", "documents": ["b", long]}, "documents[1]"),
        (
            "/similarity",
            {"inputs": {"source_sentence": "a", "sentences": [long]}},
            "inputs.sentences[0]",
        ),
    ):
        error = client.post(path, json=body).json()["error"]
        assert error["code"] == "text_too_long"
        assert error["param"] == place
        assert error["message"].startswith(f"{place}: the text that begins 'abc xxx")
    empty = client.post("/v1/embeddings", json={"input": ["a", ""]}).json()["error"]
    assert empty["param"] == "input[1]"


# In vLLM's shapes: what the last or first five bytes of "abc def" give.
TOKENS = [
    ("/score", lambda text: {"text_1": "xyz", "text_2": text}),
    ("/v1/score", lambda text: {"queries": "xyz", "documents": [text]}),
    ("/v1/rerank", lambda text: {"query": "xyz", "documents": [text]}),
    ("/v1/embeddings", lambda text: {"input": text}),
]


def numbers(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    kept = content.get("results") or content["data"]
    return [one.get("embedding") or one.get("relevance_score", one.get("score")) for one in kept]


@pytest.mark.parametrize(("path", "body_of"), TOKENS)
def test_so_many_tokens_of_a_text_are_kept_of_whole_words(client, path, body_of):
    whole = body_of("abc def")
    last = numbers(client, path, whole | {"truncate_prompt_tokens": 5})
    assert last == numbers(client, path, body_of("def"))
    first = {"truncate_prompt_tokens": 5, "truncation_side": "right"}
    assert numbers(client, path, whole | first) == numbers(client, path, body_of("abc"))
    # What leaves out the end kept it, as if truncate had not been given.
    for truncate, kept in (("end", "abc"), ("start", "def"), (True, "def")):
        said = {"truncate_prompt_tokens": 5, "truncate": truncate}
        assert numbers(client, path, whole | said) == numbers(client, path, body_of(kept))
    for enough in (-1, 7, 4096):
        kept = numbers(client, path, whole | {"truncate_prompt_tokens": enough})
        assert kept == numbers(client, path, whole)
    cut = client.post(path, json=whole | {"truncate_prompt_tokens": 5})
    assert cut.headers[HEADER] == "1"


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("path", "body_of"), TOKENS)
def test_of_what_text_nothing_would_be_left(client, path, body_of, side):
    """A fragment was named that nobody had written, without a place."""
    text = "é cat é"
    content = body_of(text) | {"truncate_prompt_tokens": 1, "truncation_side": side}
    error = client.post(path, json=content).json()["error"]
    assert error["code"] == "text_too_long"
    end = "first" if side == "right" else "last"
    assert error["param"] in ("text_2", "documents[0]", "input")
    assert error["message"] == (
        f"{error['param']}: of the text that begins {text!r} nothing would be left: its {end} "
        "character alone has 2 tokens, with those that the model wants at its beginning, and the "
        "request keeps 1 at most; have at least 2 kept"
    )


@pytest.mark.parametrize(("path", "body_of"), TOKENS)
def test_tokens_that_cannot_be_kept_are_refused(client, path, body_of):
    for said, message in (
        ({"truncate_prompt_tokens": 4097}, "the model takes 4096 tokens; give at most that, or -1"),
        ({"truncate_prompt_tokens": 0}, "leaves nothing of a text"),
        ({"truncate_prompt_tokens": -2}, "greater than or equal to -1"),
        ({"truncate_prompt_tokens": 5, "truncate": "refuse"}, "contradict each other"),
    ):
        answer = client.post(path, json=body_of("a") | said)
        assert answer.status_code == 422
        assert message in answer.json()["error"]["message"]


def test_the_time_that_cutting_takes_is_in_the_log_line(open_client, caplog, monkeypatch):
    """It was in no stage."""
    known = ToyModel.encode
    monkeypatch.setattr(ToyModel, "encode", lambda *args: time.sleep(0.01) or known(*args))
    caplog.set_level("INFO")
    body = {"pairs": [["a", "the red car " * 600]], "truncate": "end", "preset": "paper"}
    body |= {"n_trajectories": 2, "max_tokens": 2}
    assert open_client().post("/v1/similarity", json=body).status_code == 200
    (line,) = [one for one in caplog.records if getattr(one, "route", "") == "/v1/similarity"]
    assert line.truncated_texts == 1
    assert 0.1 < line.tokenize_seconds < line.seconds
