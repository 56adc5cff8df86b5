"""Token ids as input: those of OpenAI's clients, and the model's own where a request says so."""

import sys
from types import SimpleNamespace

import pytest

import similarity

TEXT = "A dog runs along the quiet river, and nobody sees it before noon."


@pytest.fixture(scope="module")
def embedded():
    return similarity.load_model("embedded")


@pytest.fixture
def client(open_client, embedded):
    return open_client(embedded, vectors="general")


@pytest.fixture
def tiktoken(monkeypatch):
    """Put encodings of bytes in the place of OpenAI's, whose vocabulary is not here."""

    def encoding(name, least):
        def decode(ids):
            if any(i < least or i >= least + 256 for i in ids):
                raise KeyError("Invalid token for decoding")
            return bytes(i - least for i in ids).decode()

        return SimpleNamespace(name=name, decode=decode)

    def known(model):
        if model != "text-embedding-3-small":
            raise KeyError(model)
        return encoding("theirs", 100)

    module = SimpleNamespace(
        encoding_for_model=known, get_encoding=lambda name: encoding(name, 500)
    )
    monkeypatch.setitem(sys.modules, "tiktoken", module)


def asked(client, given, model="embedded", **more):
    return client.post("/v1/embeddings", json={"input": given, "model": model, **more})


def vectors(client, given, model="embedded", **more):
    answer = asked(client, given, model, **more)
    assert answer.status_code == 200, answer.text
    return [item["embedding"] for item in answer.json()["data"]]


def refusal(client, given, model="embedded", **more):
    answer = asked(client, given, model, **more)
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]


def test_the_models_own_ids_are_taken_where_the_request_says_that_they_are(client, embedded):
    ids = list(embedded.encode(TEXT))
    expected = vectors(client, TEXT)
    assert vectors(client, ids, tokenizer="model") == expected
    assert vectors(client, [ids, ids[1:]], tokenizer="model") == expected * 2
    for model in ("another name", "text-embedding-3-small"):
        assert vectors(client, ids, model, tokenizer="model") == expected


def test_the_models_own_ids_must_be_of_its_vocabulary_and_of_a_text(client, embedded):
    error = refusal(client, [[70], [10**6]], tokenizer="model")
    assert error["param"] == "input[1][0]"
    assert "this model's are below" in error["message"]
    assert refusal(client, [70, 10**6], tokenizer="model")["param"] == "input[1]"
    blank = list(embedded.encode_continuation(" "))
    assert refusal(client, [blank], tokenizer="model")["param"] == "input[0]"
    assert refusal(client, blank, tokenizer="model")["param"] == "input"


def test_another_tokenizer_is_refused_with_what_there_is(client):
    error = refusal(client, TEXT, tokenizer="cl100k_base")
    assert error["param"] == "tokenizer"
    assert error["message"].endswith("or as the served model's own: give model")


def test_ids_of_openais_clients_are_read_as_such(client, tiktoken):
    expected = vectors(client, TEXT)
    ids = [i + 100 for i in TEXT.encode()]
    assert vectors(client, ids, model="text-embedding-3-small") == expected
    assert vectors(client, [i + 500 for i in TEXT.encode()], model="any") == expected


def test_of_ids_that_are_not_all_openais_the_request_is_refused(client, embedded, tiktoken):
    theirs, own = [i + 500 for i in TEXT.encode()], list(embedded.encode(TEXT))
    error = refusal(client, [theirs, own, theirs])
    assert error["param"] == "input[1]"
    assert "cl100k_base has not all of them" in error["message"]
    assert '"tokenizer": "model"' in error["message"]


@pytest.mark.parametrize("model", ["text-embedding-3-small", "any", "embedded", None])
def test_ids_are_never_taken_for_the_models_own_unasked(client, embedded, monkeypatch, model):
    """Those of short English texts often spell another text in the model's vocabulary."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    long = [32, 5679, 8640, 3235, 279, 11594, 15140, 11, 323, 19093, 16008, 433, 1603, 38245, 13]
    for ids in (long, [791, 5679, 374], [9906, 1917], list(embedded.encode(TEXT))):
        message = refusal(client, [ids], model)["message"]
        assert "read as OpenAI's, and tiktoken is not installed" in message
        assert "check_embedding_ctx_length=False" in message
        assert '"tokenizer": "model"' in message


def test_without_the_vocabulary_of_tiktoken_ids_are_refused(client, monkeypatch):
    def unreachable(_name):
        raise OSError("no network")

    module = SimpleNamespace(encoding_for_model=unreachable, get_encoding=unreachable)
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    assert "with its vocabulary beside the service (OSError)" in refusal(client, [5])["message"]
