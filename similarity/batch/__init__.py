"""Scores a file of pairs and of lists of texts, in bounded memory, and survives being killed.

Each line of the input is a JSON object, answered by one line of the output or of the errors:

    {"custom_id": "a", "pair": ["A dog runs.", "A puppy is running."]}
    {"custom_id": "b", "texts": ["A dog runs.", "A cat sleeps.", "It rains."]}

Work is cut into chunks of lines. A chunk's answers are on disk before the journal says so, and
what the journal does not know of is cut off and made again from the same lines: a batch that was
killed ends with the bytes of one that was not.
"""

from similarity.batch.files import BatchFiles
from similarity.batch.run import CHUNK_LINES, Batch, open_batch

__all__ = ["CHUNK_LINES", "Batch", "BatchFiles", "open_batch"]
