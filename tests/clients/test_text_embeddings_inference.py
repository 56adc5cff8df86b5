"""Clients of text-embeddings-inference: huggingface_hub's, and LlamaIndex's."""

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

TEXTS = ["A dog runs.", "It rains."]


@pytest.fixture
def client(url: str) -> InferenceClient:
    return InferenceClient(model=url)


def test_features(client: InferenceClient) -> None:
    found = client.feature_extraction(TEXTS)
    assert found.shape == (2, 512)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(client.feature_extraction(TEXTS[0])[0], found[0], atol=1e-6)


def test_long_texts_are_refused_and_cut_where_that_is_asked(client: InferenceClient) -> None:
    long = "word " * 2000
    with pytest.raises(HfHubHTTPError, match="too long"):
        client.feature_extraction(long)
    cut = client.feature_extraction(long, truncate=True)
    assert cut.shape == (1, 512)
    assert (
        cut != client.feature_extraction(long + " end", truncate=True, truncation_direction="left")
    ).any()


def test_similarities(client: InferenceClient) -> None:
    found = client.sentence_similarity(TEXTS[0], other_sentences=[*TEXTS, "A dog runs."])
    assert found[0] == found[2] == pytest.approx(1)
    assert found[1] < 0.99


def test_llama_index(url: str, client: InferenceClient) -> None:
    model = TextEmbeddingsInference(model_name="any", base_url=url)
    expected = client.feature_extraction(TEXTS)
    np.testing.assert_allclose(model.get_text_embedding_batch(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(model.get_query_embedding(TEXTS[0]), expected[0], atol=1e-6)
