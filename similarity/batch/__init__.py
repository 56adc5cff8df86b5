"""Scores a file of pairs and of lists of texts, in bounded memory; a killed batch can go on.

Each record of the input is answered by one line of the output or of the errors. It is a JSON
object, or a row of a table with the same columns:

    {"custom_id": "a", "pair": ["A dog runs.", "A puppy is running."]}
    {"custom_id": "b", "texts": ["A dog runs.", "A cat sleeps.", "It rains."]}
    {"text1": "A dog runs.", "text2": "A puppy is running."}

Without an id, that is the number of the line. Work is cut into chunks of records. A chunk's
answers are on disk before the journal says so. What the journal does not know of is cut off, and
made again from the same records. So a batch that was killed ends with the bytes of one that was
not.
"""

from similarity.batch.chunks import CHUNK_LINES
from similarity.batch.files import BatchFiles, check_files
from similarity.batch.run import Batch, Done, finished, open_batch

__all__ = ["CHUNK_LINES", "Batch", "BatchFiles", "Done", "check_files", "finished", "open_batch"]
