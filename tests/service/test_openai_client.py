"""The client library of OpenAI, pointed at the service."""

import httpx
import pytest

from similarity.models.toy import ToyModel
from tests.service.servers import running
from tests.service.test_embeddings import TEXTS, fitted, folder  # noqa: F401

openai = pytest.importorskip("openai", reason="needs the client library of OpenAI")


@pytest.fixture
def client(folder):  # noqa: F811
    with running(ToyModel(), vectors=folder) as url, httpx.Client() as connections:
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="any", http_client=connections)


def test_embeddings_of_texts_and_of_token_ids(client):
    found = client.embeddings.create(model="any", input=TEXTS, dimensions=3)
    assert [item.index for item in found.data] == [0, 1, 2]
    assert all(len(item.embedding) == 3 for item in found.data)
    ids = [list(ToyModel().encode(text)) for text in TEXTS]
    own = {"tokenizer": "model"}
    again = client.embeddings.create(model="any", input=ids, dimensions=3, extra_body=own)
    assert [item.embedding for item in again.data] == [item.embedding for item in found.data]


def test_models(client):
    assert [model.id for model in client.models.list()] == ["toy"]
    assert client.models.retrieve("toy").id == "toy"
    with pytest.raises(openai.NotFoundError, match="toy"):
        client.models.retrieve("other")


def test_errors_are_its_own(client):
    with pytest.raises(openai.UnprocessableEntityError, match=r"input\[1\]: a text is empty"):
        client.embeddings.create(model="any", input=["a", ""])
