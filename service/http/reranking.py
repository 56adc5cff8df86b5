"""What all dialects of reranking share, and that of text-embeddings-inference."""

from collections.abc import Iterator, Sequence

from fastapi import Response

from service.engine.limits import check_answer
from service.http.call import Call
from service.http.json_stream import JsonArray, json_bytes, json_list
from service.http.schemas.tei import TextsRerankRequest
from similarity.results import Score
from similarity.scorers import ScoringRequest

# Bytes of a document's place and score in an answer, at least.
RANKED_BYTES = 30


async def rerank_texts(body: TextsRerankRequest, call: Call) -> Response:
    """Return the texts by their similarity to the query, the most similar first."""
    check_answer(len(body.texts[: body.top_n or None]) * RANKED_BYTES, call.settings)
    scoring = ScoringRequest(truncate=body.truncated())
    scores, _ = await call.score(body.text_pairs(), scoring)
    items = await call.aside(lambda: list(_items(scores, body)), len(scores))
    return json_list(JsonArray.of(items))


def _items(scores: Sequence[Score], body: TextsRerankRequest) -> Iterator[bytes]:
    for i in ranked(scores)[: body.top_n or None]:
        text = {"text": body.texts[i]} if body.return_text else {}
        yield json_bytes({"index": i, "score": scores[i].similarity, **text})


def ranked(scores: Sequence[Score]) -> list[int]:
    """Return the numbers of the documents, the most similar first."""
    return sorted(range(len(scores)), key=lambda i: scores[i].distance)
