"""What all dialects of reranking share, and that of text-embeddings-inference."""

from collections.abc import Iterator, Sequence

from fastapi import Response

from service.http.call import Call
from service.http.json_stream import JsonArray, json_bytes, json_list
from service.http.schemas.tei import TextsRerankRequest
from similarity.results import Score
from similarity.scorers import ScoringRequest


async def rerank_texts(body: TextsRerankRequest, call: Call) -> Response:
    """Return the texts by their similarity to the query, the most similar first."""
    scoring = ScoringRequest(truncate=body.truncated())
    scores, _ = await call.score(body.text_pairs(), scoring)
    order = ranked(scores)

    def items() -> Iterator[bytes]:
        for i in order:
            text = {"text": body.texts[i]} if body.return_text else {}
            yield json_bytes({"index": i, "score": scores[i].similarity, **text})

    return json_list(JsonArray(items()))


def ranked(scores: Sequence[Score]) -> list[int]:
    """Return the numbers of the documents, the most similar first."""
    return sorted(range(len(scores)), key=lambda i: scores[i].distance)
