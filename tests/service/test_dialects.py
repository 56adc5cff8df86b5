"""The dialects of other servers, against the examples in those servers' documentation."""

import json
import re

import pytest

from service.http.schemas.foreign import FOREIGN_FIELDS

# Requests and answers as the documentation of each server shows them.
TEI = (
    {
        "inputs": {
            "source_sentence": "What is Deep Learning?",
            "sentences": ["What is Machine Learning?"],
        },
        "parameters": {"prompt_name": None, "truncate": False, "truncation_direction": "Right"},
    },
    [0.5],
)
VLLM_USAGE = {"prompt_tokens": 17, "total_tokens": 17, "completion_tokens": 0}
VLLM_ONE = (
    {
        "model": "BAAI/bge-reranker-v2-m3",
        "encoding_format": "float",
        "queries": "What is the capital of France?",
        "documents": "The capital of France is Paris.",
    },
    {
        "id": "score-request-id",
        "object": "list",
        "created": 693447,
        "model": "BAAI/bge-reranker-v2-m3",
        "data": [{"index": 0, "object": "score", "score": 1}],
        "usage": VLLM_USAGE,
    },
)
VLLM_MANY = (
    {
        "model": "BAAI/bge-reranker-v2-m3",
        "text_1": "What is the capital of France?",
        "text_2": ["The capital of Brazil is Brasilia.", "The capital of France is Paris."],
    },
    {
        "id": "score-request-id",
        "object": "list",
        "created": 693570,
        "model": "BAAI/bge-reranker-v2-m3",
        "data": [
            {"index": 0, "object": "score", "score": 0.001094818115234375},
            {"index": 1, "object": "score", "score": 1},
        ],
        "usage": VLLM_USAGE,
    },
)
VLLM_ZIP = (
    {
        "queries": ["What is the capital of Brazil?", "What is the capital of France?"],
        "documents": ["The capital of Brazil is Brasilia.", "The capital of France is Paris."],
    },
    VLLM_MANY[1],
)
JINA = (
    {
        "model": "jina-reranker-v2-base-multilingual",
        "query": "What is the capital of France?",
        "documents": [
            "The capital of Brazil is Brasilia.",
            "The capital of France is Paris.",
            "Horses and cows are both animals",
        ],
        "top_n": 2,
        "return_documents": True,
    },
    {
        "id": "rerank-fae51b2b664d4ed38f5969b612edff77",
        "model": "BAAI/bge-reranker-base",
        "usage": {"total_tokens": 56},
        "results": [
            {
                "index": 1,
                "document": {"text": "The capital of France is Paris."},
                "relevance_score": 0.99853515625,
            },
            {
                "index": 0,
                "document": {"text": "The capital of Brazil is Brasilia."},
                "relevance_score": 0.0005860328674316406,
            },
        ],
    },
)
COHERE = (
    {
        "model": "rerank-v3.5",
        "query": "What is the capital of the United States?",
        "top_n": 2,
        "documents": ["Carson City is the capital of Nevada.", "Washington, D.C.", "Saipan"],
        "max_tokens_per_doc": 4096,
    },
    {
        "results": [
            {"index": 1, "relevance_score": 0.999071},
            {"index": 0, "relevance_score": 0.32713068},
        ],
        "id": "07734bd2-2473-4f07-94e1-0d9f0e6843cf",
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    },
)

EXAMPLES = [
    ("/similarity", *TEI),
    ("/v1/score", *VLLM_ONE),
    ("/score", *VLLM_ONE),
    ("/score", *VLLM_MANY),
    ("/v1/score", *VLLM_ZIP),
    ("/v1/rerank", *JINA),
    ("/rerank", *JINA),
    ("/v2/rerank", *COHERE),
]


def assert_has_shape(answer, recorded, place="answer"):
    """Check that all that the recorded answer has is there, of the same JSON type."""
    if isinstance(recorded, dict):
        assert isinstance(answer, dict), place
        for name, value in recorded.items():
            assert name in answer, f"{place}.{name}"
            assert_has_shape(answer[name], value, f"{place}.{name}")
    elif isinstance(recorded, list):
        assert isinstance(answer, list), place
        assert len(answer) == len(recorded), place
        for i, (mine, theirs) in enumerate(zip(answer, recorded, strict=True)):
            assert_has_shape(mine, theirs, f"{place}[{i}]")
    elif isinstance(recorded, int | float):
        assert isinstance(answer, int | float), place
    else:
        assert type(answer) is type(recorded), place


@pytest.mark.parametrize(("path", "request_body", "recorded"), EXAMPLES)
def test_answers_have_the_shape_of_the_recorded_ones(client, path, request_body, recorded):
    answer = client.post(path, json=request_body)
    assert answer.status_code == 200, answer.text
    assert_has_shape(answer.json(), recorded)


def test_scores_are_the_similarities_of_the_native_route(client):
    texts = ["The capital of Brazil is Brasilia.", "The capital of France is Paris."]
    query = "What is the capital of France?"
    native = client.post("/v1/similarity", json={"source": query, "targets": texts}).json()
    expected = [result["similarity"] for result in native["results"]]
    inputs = {"source_sentence": query, "sentences": texts}
    assert client.post("/similarity", json={"inputs": inputs}).json() == expected
    scores = client.post("/score", json={"queries": query, "documents": texts}).json()
    assert [item["score"] for item in scores["data"]] == expected
    ranked = client.post("/rerank", json={"query": query, "documents": texts}).json()
    assert {r["index"]: r["relevance_score"] for r in ranked["results"]} == dict(
        enumerate(expected)
    )
    order = [r["relevance_score"] for r in ranked["results"]]
    assert order == sorted(order, reverse=True)


def test_documents_are_returned_as_each_server_does_by_default(client):
    body = {"query": "a", "documents": ["b", {"text": "a"}], "top_n": 0}
    by_jina = client.post("/v1/rerank", json=body).json()["results"]
    assert [r["document"] for r in by_jina] == [{"text": "a"}, {"text": "b"}]
    by_cohere = client.post("/v2/rerank", json=body).json()["results"]
    assert all("document" not in r for r in by_cohere)
    body["return_documents"] = True
    assert "document" in client.post("/v2/rerank", json=body).json()["results"][0]


@pytest.mark.parametrize(
    "body",
    [
        {"queries": ["a", "b"], "documents": ["a", "b", "c"]},
        {"text_1": ["a", "b"], "text_2": "a"},
    ],
)
def test_lists_that_do_not_match_are_refused(client, body):
    answer = client.post("/score", json=body)
    assert answer.status_code == 422
    assert "as many in both" in answer.json()["error"]["message"]


@pytest.mark.parametrize("names", [("queries", "items"), ("data_1", "data_2")])
def test_other_names_of_vllms_score(client, names):
    values = ("a b", ["c d", "a b"])
    usual = client.post("/score", json={"text_1": values[0], "text_2": values[1]}).json()
    other = client.post("/score", json=dict(zip(names, values, strict=True))).json()
    assert other["data"] == usual["data"]


def test_documents_as_objects_with_rank_fields_and_voyages_top_k(client):
    documents = [{"title": "a b", "year": 7}, {"title": "zz", "other": 1}]
    body = {"query": "title: a b", "documents": documents, "rank_fields": ["title"], "top_k": 1}
    answer = client.post("/v1/rerank", json=body).json()
    assert answer["results"] == [{"index": 0, "relevance_score": 1.0, "document": documents[0]}]
    assert answer["data"] == answer["results"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_max_tokens_per_doc_keeps_the_beginning(client, path):
    """It was ignored: documents were compared whole."""
    body = {"query": "abc", "documents": ["abc xyz", "ab"]}
    whole = client.post(path, json={**body, "max_tokens_per_doc": 100_000}).json()
    assert "warnings" not in whole["meta"]
    cut = client.post(path, json={**body, "max_tokens_per_doc": 4}).json()
    assert cut["results"][0]["relevance_score"] == 1.0 > whole["results"][0]["relevance_score"]
    assert len(cut["meta"]["warnings"]) == 1
    from_the_end = {**body, "query": "xyz", "max_tokens_per_doc": 4, "truncate": "start"}
    assert client.post(path, json=from_the_end).json()["results"][0]["relevance_score"] == 1.0


def test_max_tokens_per_doc_of_vllms_score(client):
    body = {"text_1": "abc", "text_2": ["abc xyz", "abc"], "max_tokens_per_query": 0}
    plain = client.post("/score", json=body)
    assert (
        client.post("/score", json={**body, "max_tokens_per_doc": 0}).json()["data"]
        == (plain.json()["data"])
    )
    answer = client.post("/score", json={**body, "max_tokens_per_doc": 4})
    assert [one["score"] for one in answer.json()["data"]] == [1.0, 1.0]
    assert answer.headers["x-truncated-texts"] == "1"


RANK = {"query": "a", "documents": ["b"]}
SENTENCES = {"inputs": {"source_sentence": "a", "sentences": ["b"]}}
# What a request needs, where that is not a rerank.
LEAST = {
    "/": {"inputs": "a"},
    "/embed": {"inputs": "a"},
    "/embed_all": {"inputs": "a"},
    "/similarity": SENTENCES,
    "/score": {"text_1": "a", "text_2": "b"},
    "/v1/embeddings": {"input": "a"},
    "/v2/embed": {"texts": ["a"]},
    "/tokenize": {"prompt": "a"},
    "/decode": {"ids": [97]},
}


# The routes that read texts, with a request in each of their forms.
FOREIGN_ROUTES = {
    "/": [{"inputs": "a"}, SENTENCES],
    "/embed": [{"inputs": "a"}],
    "/embed_all": [{"inputs": "a"}],
    "/similarity": [SENTENCES],
    "/tokenize": [{"inputs": "a"}, {"prompt": "a"}],
    "/score": [{"text_1": "a", "text_2": "b"}, {"queries": "a", "items": "b"}],
    "/v1/score": [{"data_1": "a", "data_2": "b"}, {"queries": "a", "documents": "b"}],
    "/rerank": [RANK, {"query": "a", "texts": ["b"]}],
    "/v1/rerank": [RANK, {"query": "a", "texts": ["b"]}],
    "/v2/rerank": [RANK],
    "/v1/embed": [{"texts": ["a"]}],
    "/v2/embed": [{"texts": ["a"]}],
    "/v1/embeddings": [{"input": "a"}],
}
TEXT_FIELDS = FOREIGN_FIELDS["texts"].same


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v2/rerank", {"relevant_spans": {"mode": "enabled"}}, "no spans of documents"),
        ("/v1/rerank", {"return_embeddings": True}, "POST /v1/embeddings for vectors"),
        ("/v1/rerank", {"max_tokens_per_query": 4}, "give max_tokens_per_doc"),
        ("/v1/rerank", {"max_tokens_per_doc": 4, "truncate_prompt_tokens": 4}, "give one"),
        ("/v1/rerank", {"max_tokens_per_doc": 4, "truncate": "refuse"}, "contradict each other"),
        ("/v1/rerank", {"max_tokens_per_doc": 4, "truncation": False}, "contradict each other"),
        ("/tokenize", {"return_token_strs": True}, "the answer then has the tokens' texts"),
        (
            "/tokenize",
            {"messages": [{"role": "user"}]},
            "messages: there are no conversations",
        ),
        ("/decode", {"skip_special_tokens": False}, "without special tokens here"),
        ("/v1/rerank", {"max_chunks_per_doc": 10}, "a document is one text here"),
        ("/v2/rerank", {"max_chunks_per_doc": 0}, "a document is one text here"),
        ("/v2/rerank", {"texts": ["c"]}, "texts: this route has query and documents in its"),
        *(
            (path, {"add_special_tokens": False}, "add_special_tokens: texts are read with the")
            for path in ("/v1/embeddings", "/score", "/v1/rerank", "/v2/rerank")
        ),
        *(
            (path, {"prompt_name": "query"}, "prompt_name: the model has no prompts of such names")
            for path in ("/", "/embed", "/embed_all", "/similarity")
        ),
        ("/similarity", {"parameters": {"prompt_name": "a"}}, "parameters.prompt_name: the model"),
        *(
            ("/v1/embeddings", {name: ["b"]}, f"{name}: this route has input in its place; give")
            for name in ("inputs", "texts")
        ),
        *(
            (path, {name: "b"}, f"{name}: this route has inputs in its place; give")
            for path in ("/", "/embed", "/embed_all")
            for name in ("input", "texts")
        ),
        ("/v2/embed", {"input": "b"}, "input: this route has inputs and texts in its place"),
        *(
            ("/v2/embed", {name: value}, f"{name}: this route has {here} in its place; give that")
            for name, value, here in (
                ("encoding_format", "base64", "embedding_types"),
                ("embedding_type", ["float"], "embedding_types"),
                ("output_dtype", "int8", "embedding_types"),
                ("dimensions", 3, "output_dimension"),
            )
        ),
        (
            "/v2/embed",
            {"embedding_types": ["float", "binary"], "output_dtype": "float"},
            "output_dtype and embedding_types contradict each other; give one",
        ),
        *(
            (path, {name: value}, f"{name}: this route gives numbers alone; POST /v1/embeddings")
            for path in ("/", "/embed")
            for name, value in (
                ("encoding_format", "base64"),
                ("embedding_type", "base64"),
                ("embedding_types", ["int8"]),
            )
        ),
        *(
            (path, {"output_dimension": 3}, "output_dimension: this route has dimensions in its")
            for path in ("/", "/embed")
        ),
        # What the schema does not allow, though it equals what it does.
        ("/v1/rerank", {"max_tokens_per_query": False}, "give max_tokens_per_doc"),
        ("/v1/rerank", {"max_tokens_per_query": 0.0}, "give max_tokens_per_doc"),
        ("/v1/rerank", {"return_embeddings": 0}, "POST /v1/embeddings for vectors"),
        ("/decode", {"skip_special_tokens": 1}, "without special tokens here"),
    ],
)
def test_what_changes_the_answer_of_others_and_is_not_here_is_refused(client, path, body, message):
    """Such fields were ignored in silence."""
    answer = client.post(path, json={**LEAST.get(path, RANK), **body})
    assert answer.status_code == 422, answer.text
    assert message in answer.json()["error"]["message"]


def test_what_asks_for_what_there_is_anyway_is_taken(client):
    """Clients send the values that mean no more than leaving them out."""
    for path, body in (
        ("/v2/rerank", {"relevant_spans": {"mode": "disabled"}, "return_embeddings": False}),
        ("/v1/rerank", {"max_chunks_per_doc": 1, "add_special_tokens": True}),
        ("/v2/rerank", {"max_chunks_per_doc": None, "texts": None}),
        ("/score", {"add_special_tokens": True}),
        ("/similarity", {"prompt_name": None, "parameters": {"prompt_name": None}}),
        (
            "/embed",
            {"encoding_format": "float", "embedding_types": ["float"], "output_dtype": None},
        ),
        ("/v2/embed", {"encoding_format": "float", "embedding_types": ["float"]}),
        ("/v1/embeddings", {"embedding_types": ["float"], "encoding_format": "float"}),
        ("/tokenize", {"return_token_strs": False}),
        ("/decode", {"skip_special_tokens": True}),
    ):
        answer = client.post(path, json={**LEAST.get(path, RANK), **body})
        assert answer.status_code == 200, answer.text


def own_fields(client, path):
    """Return the names of the fields that the description of a route has."""
    description = client.app.openapi()
    content = description["paths"][path]["post"]["requestBody"]["content"]
    models = re.findall(r"#/components/schemas/(\w+)", json.dumps(content))
    schemas = [description["components"]["schemas"][model] for model in models]
    return set().union(*(schema["properties"] for schema in schemas))


@pytest.mark.longer
@pytest.mark.parametrize("path", FOREIGN_ROUTES)
def test_fields_that_change_numbers_are_obeyed_or_refused_on_every_route(client, path):
    """Each was refused on some routes, and dropped without a word on the others."""
    own = own_fields(client, path)
    for least in FOREIGN_ROUTES[path]:
        plain = client.post(path, json=least)
        for name in FOREIGN_FIELDS.keys() - own - least.keys():
            for value in (["x"], 3, 1.0):
                answer = client.post(path, json={**least, name: value})
                assert answer.status_code == 422, (name, value, answer.text)
                assert name in answer.json()["error"]["message"]
            # A field of texts may be of another form of the same route.
            for value in () if name in TEXT_FIELDS else (None, *FOREIGN_FIELDS[name].harmless):
                answer = client.post(path, json={**least, name: value})
                assert answer.status_code == plain.status_code, (name, value, answer.text)
                assert numbers(answer) == numbers(plain)


def test_every_route_of_another_server_is_tried(client):
    paths = client.app.openapi()["paths"]
    foreign = {path for path, at in paths.items() if at.get("post", {}).get("tags") == ["compat"]}
    assert foreign - {"/decode", "/detokenize", "/predict", "/embed_sparse"} == set(FOREIGN_ROUTES)


def numbers(answer):
    """Return an answer without what each has of its own."""
    content = answer.json()
    if not isinstance(content, dict):
        return content
    own = ("id", "created", "error")
    return {name: value for name, value in content.items() if name not in own}


def test_text_embeddings_inferences_rerank(client):
    body = {"query": "a b", "texts": ["c d", "a b"], "raw_scores": False, "truncate": True}
    plain = client.post("/rerank", json=body).json()
    assert [item["index"] for item in plain] == [1, 0]
    assert plain[0] == {"index": 1, "score": 1.0}
    for count in (1, 0, None, 5):
        some = client.post("/rerank", json={**body, "top_n": count}).json()
        assert some == plain[: count or None]
    ranked = client.post("/rerank", json={**body, "return_text": True}).json()
    assert [item["text"] for item in ranked] == ["a b", "c d"]


ROUTES = {
    "/v1/rerank": RANK,
    "/v2/rerank": RANK,
    "/v1/embeddings": {"input": ["a"]},
    "/score": {"text_1": "a", "text_2": "b"},
}
# What each kind of route has, and what of it contradicts each other.
RANKS = ("/v1/rerank", "/v2/rerank")
CONTRADICTIONS = [
    (RANKS, {"top_n": 1, "top_k": 2}),
    ((*RANKS, "/v1/embeddings"), {"truncate": True, "truncation": False}),
    ((*RANKS, "/v1/embeddings"), {"truncate": "end", "truncation": False}),
    ((*RANKS, "/v1/embeddings"), {"truncate": "refuse", "truncation": True}),
    ((*RANKS, "/v1/embeddings"), {"truncate": False, "truncation": True}),
    ((*RANKS, "/v1/embeddings"), {"truncation": False, "truncate_prompt_tokens": -1}),
    (ROUTES, {"truncate": False, "truncate_prompt_tokens": 5}),
    (ROUTES, {"truncate": "end", "truncation_side": "left"}),
    (ROUTES, {"truncate": "start", "truncation_side": "right"}),
]


@pytest.mark.parametrize(
    ("path", "more"), [(path, more) for paths, more in CONTRADICTIONS for path in paths]
)
def test_fields_that_contradict_each_other_are_refused(client, path, more):
    answer = client.post(path, json={**ROUTES[path], **more})
    assert answer.status_code == 422, answer.text
    expected = f"the body: {' and '.join(more)} contradict each other; give one"
    assert answer.json()["error"]["message"] == expected


@pytest.mark.parametrize(
    "more",
    [
        {"top_n": 1, "top_k": 1},
        {"top_n": 1, "top_k": None},
        {"truncate": True, "truncation": True},
        {"truncate": False, "truncation": False},
        {"truncate": "end", "truncation": True, "truncation_side": "right"},
        {"truncation": False, "max_tokens_per_doc": 0},
        {"truncation": True, "truncate_prompt_tokens": 5, "truncation_side": "left"},
    ],
)
def test_fields_that_agree_are_taken(client, more):
    body = {"query": "a", "documents": ["b", "c"], **more}
    assert client.post("/v1/rerank", json=body).status_code == 200


def test_the_side_of_a_text_that_is_cut_is_obeyed(client):
    """It was read beside truncate_prompt_tokens alone."""
    long = "left " + "b " * 5_000 + "right"

    def asked(**more):
        body = {"query": "left", "documents": [long], **more}
        return client.post("/v1/rerank", json=body).json()["results"][0]["relevance_score"]

    left, right = asked(truncate="start"), asked(truncate="end")
    assert left != right
    assert asked(truncate=True, truncation_side="left") == left
    assert asked(truncation_side="left") == left
    assert asked(truncate=True) == asked(truncate=True, truncation_side="right") == right


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"queries": "a", "documents": ["b"], "items": ["c"]}, "documents and items"),
        ({"text_1": "a", "data_1": "c", "text_2": ["b"]}, "text_1 and data_1"),
        ({"text_1": "a", "text_2": ["b"], "data_2": ["c"]}, "text_2 and data_2"),
    ],
)
def test_one_field_of_a_score_under_two_names_has_one_value(client, content, names):
    answer = client.post("/score", json=content)
    assert answer.status_code == 422
    assert f"{names} contradict each other; give one" in answer.json()["error"]["message"]
    same = {**content, names.split(" and ")[1]: content[names.split(" and ")[0]]}
    assert client.post("/score", json=same).status_code == 200
