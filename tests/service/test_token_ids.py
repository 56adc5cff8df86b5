"""Token ids as input: the model's own, and those of OpenAI's clients."""

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
    """Put an encoding of bytes in the place of OpenAI's, whose vocabulary is not here."""

    def known(model):
        if model != "text-embedding-3-small":
            raise KeyError(model)
        return SimpleNamespace(decode=lambda ids: bytes(i - 100 for i in ids).decode())

    usual = SimpleNamespace(decode=lambda ids: bytes(i - 500 for i in ids).decode())
    module = SimpleNamespace(encoding_for_model=known, get_encoding=lambda _name: usual)
    monkeypatch.setitem(sys.modules, "tiktoken", module)


def vectors(client, given, model="embedded"):
    answer = client.post("/v1/embeddings", json={"input": given, "model": model})
    assert answer.status_code == 200, answer.text
    return [item["embedding"] for item in answer.json()["data"]]


def test_the_models_own_ids_stand_for_their_text(client, embedded):
    ids = list(embedded.encode(TEXT))
    expected = vectors(client, TEXT)
    assert vectors(client, ids) == expected
    assert vectors(client, [ids, ids[1:]]) == expected * 2
    assert vectors(client, ids, model="another name") == expected


def test_ids_of_openais_clients_are_read_as_such(client, tiktoken):
    expected = vectors(client, TEXT)
    ids = [i + 100 for i in TEXT.encode()]
    assert vectors(client, ids, model="text-embedding-3-small") == expected
    assert vectors(client, [i + 500 for i in TEXT.encode()], model="any") == expected


@pytest.mark.parametrize("model", ["text-embedding-3-small", "any"])
def test_without_their_vocabulary_they_are_refused_rather_than_misread(client, monkeypatch, model):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    ids = [32, 5679, 8640, 3235, 279, 11594, 15140, 11, 323, 19093, 16008, 433, 1603, 38245, 13]
    answer = client.post("/v1/embeddings", json={"input": [ids], "model": model})
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert "token ids of another tokenizer" in message
    assert "check_embedding_ctx_length=False" in message
