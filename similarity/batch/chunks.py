"""Cuts a batch into chunks, whose answers are held together."""

from collections.abc import Iterable, Iterator

from similarity.batch.lines import MAX_LIST_TEXTS, scores_asked
from similarity.tabular.records import Record

CHUNK_LINES = 64
# So many have two of the longest lists: their answers take some 130 MB while they are written.
CHUNK_SCORES = 4 * MAX_LIST_TEXTS**2


def chunks(records: Iterable[Record], most_lines: int) -> Iterator[list[Record]]:
    """Yield records, some together: so many at most, and no more than have CHUNK_SCORES.

    One that asks for more is alone. The cut depends on nothing but the records from the first of a
    chunk on. So it is the same where a batch is taken up.
    """
    chunk: list[Record] = []
    scores = 0
    for record in records:
        asked = scores_asked(record)
        if chunk and scores + asked > CHUNK_SCORES:
            yield chunk
            chunk, scores = [], 0
        chunk.append(record)
        scores += asked
        # At once: what follows may be unreadable, and these are answered all the same.
        if len(chunk) == most_lines:
            yield chunk
            chunk, scores = [], 0
    if chunk:
        yield chunk
