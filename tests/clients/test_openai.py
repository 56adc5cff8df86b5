"""OpenAI's library, and those that build on its route."""

from pathlib import Path

import litellm
import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from llama_index.embeddings.openai_like import OpenAILikeEmbedding

TEXTS = ["A dog runs.", "It rains.", "The council voted."]
# OpenAI's ids of most of these are ids of another text in a vocabulary of usual size.
SHORT = ["How do I reset my password?", "Where is my parcel?", "The dog is", "Hello world"]


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


@pytest.fixture
def expected(client: openai.OpenAI) -> list[list[float]]:
    found = client.embeddings.create(model="any", input=TEXTS, encoding_format="float")
    return [item.embedding for item in found.data]


def test_numbers_and_the_librarys_own_base64_are_the_same(
    client: openai.OpenAI, expected: list[list[float]]
) -> None:
    found = client.embeddings.create(model="any", input=TEXTS)
    for item, numbers in zip(found.data, expected, strict=True):
        assert item.embedding == pytest.approx(numbers, abs=1e-7)
    assert found.usage.prompt_tokens > 0
    short = client.embeddings.create(model="any", input=TEXTS[0], dimensions=3)
    assert len(short.data[0].embedding) == 3


def test_a_null_format_is_numbers(client: openai.OpenAI, expected: list[list[float]]) -> None:
    answer = client.post(
        "/embeddings", cast_to=object, body={"input": TEXTS, "encoding_format": None}
    )
    assert [item["embedding"] for item in answer["data"]] == expected


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["embedded"]
    assert client.models.retrieve("embedded").id == "embedded"
    with pytest.raises(openai.NotFoundError, match="embedded"):
        client.models.retrieve("other")


def test_an_empty_text_of_many_is_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.embeddings.create(model="any", input=["a", "", "b"])
    assert raised.value.param == "input[1]"
    assert raised.value.code == "invalid_request"


def test_texts_that_are_too_long_are_refused_and_cut_where_that_is_asked(
    client: openai.OpenAI,
) -> None:
    long = "word " * 2000
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.embeddings.create(model="any", input=["a", long])
    assert raised.value.code == "text_too_long"
    assert raised.value.param == "input[1]"
    cut = client.embeddings.with_raw_response.create(
        model="any", input=["a", long], extra_body={"truncate": "end"}
    )
    assert cut.headers["x-truncated-texts"] == "1"


def test_langchain_with_texts(url: str, expected: list[list[float]]) -> None:
    embeddings = OpenAIEmbeddings(
        base_url=f"{url}/v1", api_key="any", model="any", check_embedding_ctx_length=False
    )
    assert embeddings.embed_documents(TEXTS)[1] == pytest.approx(expected[1], abs=1e-7)
    assert embeddings.embed_query(TEXTS[0]) == pytest.approx(expected[0], abs=1e-7)


@pytest.fixture
def vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the client the vocabulary that tiktoken would load from the network: litellm has it."""
    folder = Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))


@pytest.mark.usefixtures("vocabulary")
@pytest.mark.parametrize("model", ["any", "embedded", "text-embedding-3-small"])
@pytest.mark.parametrize("text", [*SHORT, "A dog runs along the quiet river before noon."])
def test_langchain_as_it_is_sends_ids_that_are_not_taken_for_the_models_own(
    url: str, model: str, text: str
) -> None:
    embeddings = OpenAIEmbeddings(base_url=f"{url}/v1", api_key="any", model=model)
    with pytest.raises(openai.UnprocessableEntityError, match="check_embedding_ctx_length=False"):
        embeddings.embed_query(text)


def test_the_models_own_ids_are_taken_where_the_request_says_so(
    url: str, client: openai.OpenAI, expected: list[list[float]]
) -> None:
    rows = client.post(f"{url}/tokenize", cast_to=object, body={"inputs": TEXTS})
    ids = [[token["id"] for token in row] for row in rows]
    found = client.embeddings.create(model="any", input=ids, extra_body={"tokenizer": "model"})
    assert [item.embedding for item in found.data] == [pytest.approx(v, abs=1e-7) for v in expected]


def test_litellm(url: str, expected: list[list[float]]) -> None:
    for provider in ("openai", "hosted_vllm"):
        found = litellm.embedding(
            model=f"{provider}/any", api_base=f"{url}/v1", api_key="any", input=TEXTS
        )
        vectors = [item["embedding"] for item in found.data]
        assert vectors[2] == pytest.approx(expected[2], abs=1e-7)


def test_llama_index(url: str, expected: list[list[float]]) -> None:
    model = OpenAILikeEmbedding(model_name="any", api_base=f"{url}/v1", api_key="any")
    assert model.get_text_embedding(TEXTS[0]) == pytest.approx(expected[0], abs=1e-7)
    assert len(model.get_text_embedding_batch(TEXTS)) == 3
