"""Bad input gets a 4xx in the one shape, is never repeated, and leaves the service whole."""

import gzip
import json

import pytest
from pydantic import TypeAdapter

from service.http.app import ROUTES
from service.http.schemas.tei import PredictRequest

PATHS = {
    "/v1/similarity": lambda text: {"pairs": [[text, "b"]]},
    "/similarity": lambda text: {"inputs": {"source_sentence": "a", "sentences": [text]}},
    "/v1/score": lambda text: {"queries": "a", "documents": text},
    "/score": lambda text: {"text_1": text, "text_2": ["b"]},
    "/v2/rerank": lambda text: {"query": "a", "documents": [{"text": text}]},
    "/v1/trajectories": lambda text: {"texts": [text]},
    "/v1/likelihoods": lambda text: {"texts": [text], "continuations": ["b"]},
}
HEADERS = {"content-type": "application/json"}


def code_of(answer):
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["error"]["code"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "text", ["", "  \n", "a\0b", "\ud800", "\x1c\x1f", "\u3000", "\x19", "\u200b\ufeff"]
)
def test_texts_that_are_none_are_refused(client, path, text):
    # As the bytes of a hostile client; a lone surrogate is escaped.
    body = json.dumps(PATHS[path](text))
    answer = client.post(path, content=body, headers=HEADERS)
    assert code_of(answer) in {"invalid_request", "invalid_text"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"pairs": [["a", "\xff"]]}',
        b'{"pairs": ' + b"9" * 10_000 + b"}",
        b'{"pairs": [["a", "b"]], "seed": 1e400}',
        b'{"pairs": [["a", "b"]], "temperature": NaN}',
        b'{"pairs": [["a", "b"]], "temperature": Infinity}',
        b'{"pairs": [["a", "b"]], "top_p": 0}',
        b'{"pairs": [["a", "b"]], "seed": "1"}',
        b'{"pairs": [["a", "b"]], "seed": true}',
        b'{"pairs": [["a", "b"]], "seed": 99999999999999999999}',
        b'{"pairs": [["a", "b"]], "unknown": 1}',
        b'{"pairs": [["a", "b"]], "\\ud800": 1}',
        b'{"pairs": [["a", "b"]], "distance": "l3"}',
        b'{"pairs": [["a", "b"]], "rows": ["a"]}',
        b'{"pairs": []}',
        b'{"pairs": [["a", "b", "c"]]}',
        b'{"pairs": [["a", 1]]}',
        b'{"pairs": "ab"}',
        b'{"source": "a"}',
        b'{"rows": [], "columns": []}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_bodies_that_are_no_request_are_refused(client, content):
    answer = client.post("/v1/similarity", content=content, headers=HEADERS)
    # The last for what is nested more deeply than a parser can read.
    assert code_of(answer) in {"invalid_request", "invalid_body", "request_too_large"}


def test_an_unknown_distance_lists_what_is_allowed(client):
    answer = client.post("/v1/similarity", json={"pairs": [["a", "b"]], "distance": "l3"})
    assert "hellinger" in answer.json()["error"]["message"]


def test_a_body_that_is_not_declared_as_json_is_refused(client):
    answer = client.post(
        "/v1/similarity", content=b'{"pairs": [["a", "b"]]}', headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415
    assert code_of(answer) == "unsupported_media_type"
    assert "Content-Type: application/json" in answer.json()["error"]["message"]


def test_a_body_of_no_type_gets_that_answer(client):
    answer = client.post("/v1/similarity", content=b'{"pairs": [["a", "b"]]}')
    assert answer.status_code == 415
    assert "got none" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 90, b'"\xff"', b'{"pairs": NaN}', b"9" * 10_000, b"{]"]
)
def test_malformed_json_is_400(client, content):
    answer = client.post("/v1/similarity", content=content, headers=HEADERS)
    assert answer.status_code == 400
    assert code_of(answer) == "invalid_body"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_a_body_in_another_encoding_than_utf_8_is_told_so(client, encoding):
    content = '{"pairs": [["\u00e9", "b"]]}'.encode(encoding)
    answer = client.post("/v1/similarity", content=content, headers=HEADERS)
    assert answer.status_code == 400
    assert code_of(answer) == "invalid_body"
    assert "it is not UTF-8" in answer.text


def test_a_byte_order_mark_before_the_body_is_passed_over(client):
    content = '{"pairs": [["a", "b"]]}'.encode("utf-8-sig")
    assert client.post("/v1/similarity", content=content, headers=HEADERS).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br, gzip", "GZIP"])
def test_a_packed_body_gets_that_answer(client, encoding):
    content = gzip.compress(b'{"pairs": [["a", "b"]]}')
    answer = client.post(
        "/v1/similarity", content=content, headers={**HEADERS, "content-encoding": encoding}
    )
    assert answer.status_code == 415
    assert f"Content-Encoding {encoding.lower()!r}; send it unpacked" in answer.text


def test_a_body_that_is_said_to_be_as_it_is_is_read(client):
    headers = {**HEADERS, "content-encoding": "identity"}
    answer = client.post("/v1/similarity", content=b'{"pairs": [["a", "b"]]}', headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"pairs": [["a", "b"]], "pairs": [["c", "d"]]}', "the name 'pairs' stands twice"),
        (b'{"pairs": [["a", {"image": "a", "image": "b"}]]}', "the name 'image' stands twice"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "JSON: a number has more than 4300 digits"),
    ],
)
def test_what_readers_would_take_in_two_ways_is_refused(client, content, message):
    answer = client.post("/v1/similarity", content=content, headers=HEADERS)
    assert answer.status_code == 400
    assert message in answer.text
    assert "sys." not in answer.text


def test_unknown_paths_and_methods(client):
    assert code_of(client.get("/nothing")) == "not_found"
    answer = client.get("/v1/similarity")
    assert code_of(answer) == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("ids", [[257], [2**31 - 1], [-1], [2**40], []])
def test_token_ids_that_the_model_does_not_know_are_refused(client, ids):
    answer = client.post("/v1/likelihoods", json={"texts": ["a"], "continuations": [ids]})
    assert code_of(answer) in {"invalid_text", "invalid_request"}


def test_no_answer_repeats_the_text_of_a_user(client):
    secret = "a private remark"
    for body in ({"pairs": [[secret, "a\0b"]]}, {"pairs": [[secret, 1]]}, {"pairs": secret}):
        answer = client.post("/v1/similarity", json=body)
        assert answer.status_code == 422
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/similarity", {"pairs": [["a", "b"], ["c", " "]]}, "pairs[1][1]: a text is empty"),
        ("/v1/similarity", {"source": "a", "targets": ["b", 7]}, "targets[1]: Input should be"),
        ("/v1/similarity", {"rows": ["a", ""]}, "rows[1]: a text is empty"),
        ("/v1/similarity", {"source": "a"}, "targets: it is missing"),
        ("/v1/similarity", {"pairs": ["a", "b"]}, "pairs[0]: Input should be a list"),
        (
            "/v1/similarity",
            {"pairs": [["a", "b"]], "xyzzy": 1},
            "xyzzy: there is no such field here; leave it out",
        ),
        (
            "/v1/similarity",
            {"pairs": [["a", "b"]], "explian": True},
            "explian: there is no such field here; did you mean explain?",
        ),
        # Names of answers and of other requests are no fields here.
        *(
            (
                "/v1/similarity",
                {"pairs": [["a", "b"]], name: 1},
                f"{name}: there is no such field here; leave it out",
            )
            for name in ("usge", "warning", "calibrate", "fingerprnt", "log_prob")
        ),
        (
            "/v1/consensus",
            {"texts": ["a"], "log_prob": [-1]},
            "log_prob: there is no such field here; did you mean log_probs?",
        ),
        (
            "/v1/similarity",
            {"pairs": [["a", {"image": "data:", "imge": "data:"}]]},
            "pairs[0][1].imge: there is no such field here; did you mean image?",
        ),
        (
            "/v1/trajectories",
            {"texts": ["a"], "pairs": [["a", "b"]]},
            "pairs: there is no such field here; leave it out",
        ),
        (
            "/v1/similarity",
            {"pairs": [["a", "b"]], "rows": ["a"]},
            "the body: rows and pairs exclude each other; give pairs, or source and targets, or ",
        ),
        (
            "/v1/similarity",
            {"source": "a", "targets": ["b"], "columns": ["a"]},
            "the body: source and columns exclude each other; give pairs, or source and targets",
        ),
        (
            "/rerank",
            {"query": "a", "texts": ["b"], "documents": ["c"]},
            "the body: texts and documents exclude each other; give documents as for Cohere, ",
        ),
        (
            "/score",
            {"text_1": "a", "text_2": "b", "documents": ["c"]},
            "the body: text_1 and documents exclude each other; give queries and documents, or ",
        ),
        (
            "/tokenize",
            {"prompt": "a", "inputs": "b"},
            "the body: prompt and inputs exclude each other; give inputs as for text-embedd",
        ),
        ("/v1/similarity", {"pairs": [["a", "b"]], "top_p": 0}, "top_p: Input should be"),
        ("/v1/similarity", [], "the body: Input should be"),
        ("/v1/embeddings", {"input": ["a", "b", ""]}, "input[2]: a text is empty"),
        ("/score", {"text_1": "a", "text_2": ["b", "\0"]}, "text_2[1]: a text has a NUL"),
        ("/rerank", {"query": "a", "documents": ["b", ""]}, "documents[1]: a text is empty"),
        ("/rerank", {"query": "a", "documents": [{"title": "b"}]}, "documents[0] has none of"),
        ("/rerank", {"query": "a", "documents": [{"text": ""}]}, "documents[0]: a text is empty"),
        (
            "/similarity",
            {"inputs": {"source_sentence": "a", "sentences": ["b", ""]}},
            "inputs.sentences[1]: a text is empty",
        ),
        ("/v1/likelihoods", {"texts": ["a"], "continuations": ["b", [-1]]}, "continuations[1][0]"),
        (
            "/v1/similarity",
            {"texts": ["a", "b"]},
            "the body: there is nothing to compare; give pairs, or source and targets, or rows",
        ),
        (
            "/rerank",
            {"query": "a", "text": ["b"]},
            "the body: there is nothing to rank; give documents as for Cohere, Jina and vLLM, or "
            "texts as for text-embeddings-inference",
        ),
        (
            "/score",
            {},
            "the body: there is nothing to score; give queries and documents, or text_1",
        ),
        ("/tokenize", {"text": "a"}, "the body: there is no text; give inputs as for text-embedd"),
        (
            "/v1/embeddings",
            {"input": []},
            "input: the list is empty; give a string, an object or a list of at least 1 item",
        ),
        (
            "/v1/embeddings",
            {"input": 5},
            "input: Input should be a string, a list or an object",
        ),
        ("/v1/embeddings", {"input": ["a", 7]}, "input[1]: Input should be a string"),
        ("/v1/embeddings", {"input": [[1], ["a"]]}, "input[1][0]: Input should be a whole number"),
        ("/v1/embeddings", {"input": [[1], []]}, "input[1]: the list is empty; give a"),
        ("/v1/embeddings", {"input": [[1], 7]}, "input[1]: Input should be a list"),
        ("/v1/embeddings", {"input": [1, "a"]}, "input[1]: Input should be a whole number"),
        ("/decode", {"ids": [[1], []]}, "ids[1]: the list is empty; give a list of at least 1"),
        ("/decode", {"ids": [[1], [2], "a"]}, "ids[2]: Input should be a list"),
        ("/decode", {"ids": [1, [2]]}, "ids[1]: Input should be a whole number"),
        ("/v1/likelihoods", {"texts": ["a"], "continuations": ["a", []]}, "continuations[1]"),
        (
            "/v1/likelihoods",
            {"texts": ["a"], "continuations": ["a", ""]},
            "continuations[1]: a continuation is empty; give at least one character",
        ),
        (
            "/v1/likelihoods",
            {"texts": ["a"], "continuations": ["b\0"]},
            "continuations[0]: a continuation has a NUL character; take it out",
        ),
        ("/rerank", {"query": "a", "documents": [7]}, "documents[0]: Input should be a string or"),
        ("/embed", {"inputs": []}, "inputs: the list is empty; give a string or a list of at"),
        ("/v1/similarity", {"rows": []}, "rows: the list is empty; give a list of at least 1 item"),
    ],
)
def test_a_mistake_is_named_as_the_user_wrote_it(client, path, body, message):
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    said = answer.json()["error"]["message"]
    assert said.startswith(message), said
    assert "function-after" not in said


@pytest.mark.parametrize(
    ("path", "body", "param", "said"),
    [
        ("/v1/consensus", {"texts": ["a", "b"], "log_probs": [0]}, "log_probs", ": want one log"),
        ("/v1/consensus", {"texts": ["a"], "log_probs": [0.5]}, "log_probs", "[0] is 0.5, and a "),
        ("/v1/cluster", {"texts": ["a", "b"], "k": 3}, "k", " must be at most 2, the number of"),
        ("/v1/similarity", {"pairs": [["a", "b"]], "top": 3}, "top", " is how many parts"),
        ("/v1/entailment", {"pairs": [["a", "b"]], "top": 3}, "top", " is how many parts"),
        (
            "/v1/similarity",
            {"pairs": [["a", "b"]], "preset": "meaning", "seed": 3},
            "seed",
            " is a setting of trajectories, and preset meaning compares by meaning vectors",
        ),
        (
            "/v1/similarity",
            {"pairs": [["a", "b"]], "interval": 0.9, "n_trajectories": 1},
            "n_trajectories",
            ": an interval needs n_trajectories of at least 2, got 1",
        ),
        (
            "/v1/similarity",
            {"rows": ["a", "b"], "interval": 0.9, "distance": "linf"},
            "distance",
            ": this distance has no interval",
        ),
        (
            "/v1/likelihoods",
            {"texts": ["a"], "continuations": ["b"], "score_law": "model", "top_k": 3},
            "top_k",
            " is of the law sampled from, and score_law is model",
        ),
        (
            "/v1/entailment",
            {"pairs": [["a", "b"]], "estimator": "paper", "n_trajectories": 1},
            "n_trajectories",
            ": an interval needs n_trajectories of at least 2",
        ),
        (
            "/score",
            {"text_1": "a", "text_2": "b", "truncate_prompt_tokens": 0},
            "truncate_prompt_tokens",
            " of 0 leaves nothing of a text",
        ),
        ("/score", {"text_1": ["a"] * 2, "text_2": ["b"] * 3}, "text_1", " has 2 texts and text_2"),
        ("/rerank", {"query": "a", "documents": ["b", {"c": "d"}]}, "documents[1]", " has none of"),
        *(
            (
                path,
                {"query": "a", "documents": ["b", {"text": wrong, "c": "d"}], **fields},
                "documents[1].text",
                ": Input should be a string",
            )
            for path in ("/rerank", "/v1/rerank", "/v2/rerank")
            for fields in ({}, {"rank_fields": ["c", "text"]})
            for wrong in (1, False, ["b"], {"b": "c"})
        ),
        (
            "/v1/likelihoods",
            {"texts": ["a"], "continuations": ["a", [2**20]]},
            "continuations[1][0]",
            " is token id 1048576, and this model's are below",
        ),
        ("/decode", {"ids": [1, 2**20]}, "ids[1]", " is token id 1048576"),
        ("/decode", {"ids": [[1], [2, 2**21, 2**20]]}, "ids[1][1]", " is token id 2097152"),
        ("/detokenize", {"tokens": [1, 2**20]}, "tokens[1]", " is token id 1048576"),
    ],
)
def test_a_field_that_is_wrong_beside_others_is_named(client, path, body, param, said):
    """It was null, as each field was right by itself."""
    answer = client.post(path, json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["message"][: len(param + said)]) == (param, param + said)


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
@pytest.mark.parametrize(
    ("document", "place", "said"),
    [
        ('{"text": "a", "x": 1e999}', "documents[1].x", "a number is too large"),
        ('{"text": "a", "x": [{"y": [0, -1e999]}]}', "documents[1].x[0].y[1]", "a number is too"),
        ('{"text": "a", "title": "\\ud800"}', "documents[1].title", "it is not valid Unicode"),
        ('{"text": "\\udc00"}', "documents[1].text", "it is not valid Unicode"),
        ('{"text": "a", "\\ud800": 1}', "documents[1]", "the name of a field is not valid"),
        ('{"text": "a", "x": {"\\ud800": []}}', "documents[1].x", "the name of a field is not"),
    ],
)
def test_documents_that_no_answer_can_repeat_are_refused(client, path, document, place, said):
    """They were read and scored, and the answer was a 500 when it came to write them."""
    content = f'{{"query": "a", "documents": ["a", {document}], "return_documents": true}}'
    answer = client.post(path, content=content, headers=HEADERS)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["param"] == place
    assert error["message"].startswith(f"{place}: {said}")


def test_documents_of_all_that_json_has_are_repeated_as_they_are(client):
    given = {"text": "a", "x": [None, True, 1e308, 10**400, "\U0001f600", {"\u00e9": []}]}
    body = {"query": "a", "documents": [given]}
    (found,) = client.post("/v1/rerank", json=body).json()["results"]
    assert found["document"] == given


def anything_in(schema, within=()):
    """Give the types of the schema around each value that may be anything."""
    if isinstance(schema, dict):
        within = (*within, schema.get("type"))
        if schema.get("type") == "any":
            yield within
        schema = list(schema.values())
    for inner in schema if isinstance(schema, list | tuple) else ():
        yield from anything_in(inner, within)


def test_what_may_be_anything_is_checked_or_never_repeated():
    routes = [route for module in ROUTES for route in module.router.routes]
    bodies = {field.field_info.annotation for r in routes if (field := r.body_field)}
    checked = 0
    for body in bodies - {PredictRequest}:
        for within in anything_in(TypeAdapter(body).core_schema):
            assert within[-3:] == ("function-after", "dict", "any")
            checked += 1
    assert checked


def lists_in(schema):
    """Give every list in the schema that pydantic makes of a type."""
    if isinstance(schema, dict):
        if schema.get("type") == "list":
            yield schema
        schema = list(schema.values())
    for inner in schema if isinstance(schema, list | tuple) else ():
        yield from lists_in(inner)


def test_a_list_of_mistakes_costs_no_more_than_its_first():
    """Each costs time and memory: of 32,000 they took more than half a second of 300 kB."""
    routes = [route for module in ROUTES for route in module.router.routes]
    bodies = [field.field_info.annotation for r in routes if (field := r.body_field)]
    found = [one for body in bodies for one in lists_in(TypeAdapter(body).core_schema)]
    assert len(found) > len(bodies) > 10
    assert all(one["fail_fast"] for one in found)


@pytest.mark.parametrize("settings", [{}, {"truncate": "end"}])
def test_a_continuation_that_is_too_long_is_named_and_not_the_text(client, settings):
    body = {"texts": ["a"], "continuations": [" b", [5] * 5000], **settings}
    answer = client.post("/v1/likelihoods", json=body)
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert "a continuation has 5000 tokens, and the model reads 4096" in message
