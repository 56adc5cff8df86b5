"""The libraries of Cohere and Voyage, and litellm in their manner."""

import cohere
import litellm
import pytest
import voyageai

QUERY = "A dog runs."
DOCUMENTS = ["The council voted on the budget.", "A dog runs.", "It rains."]


def test_cohere_ranks(url: str) -> None:
    found = cohere.ClientV2("any", base_url=url).rerank(
        model="any", query=QUERY, documents=DOCUMENTS, top_n=2
    )
    assert found.results[0].index == 1
    assert len(found.results) == 2
    assert found.results[0].relevance_score == pytest.approx(1)
    assert found.meta is not None
    assert found.meta.warnings is None


def test_cohere_ranks_objects_by_their_fields(url: str) -> None:
    documents = [{"title": text, "year": 7} for text in DOCUMENTS]
    found = cohere.Client("any", base_url=url).rerank(
        model="any",
        query=f"title: {QUERY}",
        documents=documents,
        rank_fields=["title"],
        return_documents=True,
    )
    assert found.results[0].index == 1
    assert found.results[0].document.title == QUERY


def test_cohere_cuts_long_documents_and_says_so(url: str) -> None:
    found = cohere.ClientV2("any", base_url=url).rerank(
        model="any", query=QUERY, documents=["word " * 2000]
    )
    assert found.meta is not None
    assert "were read" in (found.meta.warnings or [""])[0]


def test_cohere_embeds(url: str) -> None:
    new, old = cohere.ClientV2("any", base_url=url), cohere.Client("any", base_url=url)
    typed = new.embed(
        model="any", texts=DOCUMENTS, input_type="search_document", embedding_types=["float"]
    )
    plain = old.embed(model="any", texts=DOCUMENTS, input_type="search_document")
    assert typed.embeddings.float_ == plain.embeddings
    assert len(plain.embeddings) == 3
    packed = new.embed(
        model="any", texts=DOCUMENTS, input_type="x", embedding_types=["binary", "ubinary"]
    ).embeddings
    assert packed.ubinary is not None
    assert packed.binary == [[byte - 128 for byte in row] for row in packed.ubinary]
    assert len(packed.ubinary[0]) == -(-len(plain.embeddings[0]) // 8)
    assert packed.ubinary[0] != packed.ubinary[1]
    with pytest.raises(cohere.UnprocessableEntityError, match="too long"):
        new.embed(model="any", texts=["word " * 2000], input_type="x", truncate="NONE")


@pytest.mark.parametrize(
    ("provider", "path"),
    [("cohere", ""), ("jina_ai", ""), ("hosted_vllm", "/v1"), ("huggingface", "")],
)
def test_litellm_ranks(url: str, provider: str, path: str) -> None:
    found = litellm.rerank(
        model=f"{provider}/any",
        api_base=url + path,
        api_key="any",
        query=QUERY,
        documents=DOCUMENTS,
        top_n=2,
    )
    assert found.results[0]["index"] == 1


def test_voyage(url: str) -> None:
    client = voyageai.Client(api_key="any", base_url=f"{url}/v1")
    ranked = client.rerank(QUERY, DOCUMENTS, model="any", top_k=2)
    assert ranked.results[0].index == 1
    assert len(ranked.results) == 2
    assert ranked.results[0].document == QUERY
    embedded = client.embed(DOCUMENTS, model="any", input_type="document")
    assert len(embedded.embeddings) == 3
    assert embedded.total_tokens > 0
