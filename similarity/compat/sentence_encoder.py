"""Meaning vectors behind the interface of sentence-transformers' `SentenceTransformer`.

Nothing of that package is needed here; its evaluators take this in the place of one of its models.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from similarity.arrays import Rows
from similarity.compat.cross_encoder import Evaluations, check_options
from similarity.vectors.meaning import MeaningVectors


class VectorEncoder:
    """Encodes texts into vectors of length 1, whose cosine is how alike they are in meaning.

    Attributes
    ----------
    similarity_fn_name
        How vectors are compared: by their cosine.
    model_card_data
        Keeps what the evaluators of sentence-transformers report.
    """

    similarity_fn_name = "cosine"

    def __init__(self, vectors: MeaningVectors) -> None:
        self.vectors = vectors
        self.model_card_data = Evaluations()

    def encode(self, inputs: str | Sequence[str], **options: Any) -> Rows:
        """Return the vectors, shape "text width", or of one text its vector, shape "width".

        Parameters
        ----------
        options
            Of `SentenceTransformer.encode`: `truncate_dim` keeps the first coordinates. Those that
            change nothing here are taken, as progress bars, devices and batch sizes.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        ConfigError
            If tensors, another precision or a prompt is asked for, or there are not so many
            coordinates.
        """
        why = "vectors are of float32 in NumPy, and their prompt is that of their fit"
        check_options(options, _UNCHANGED, _WITHOUT_EFFECT, why)
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        rows = self.vectors.encode(texts, dimensions=options.get("truncate_dim"))
        return rows[0] if isinstance(inputs, str) else rows

    encode_query = encode
    encode_document = encode

    def similarity(self, embeddings1: Rows, embeddings2: Rows) -> Rows:
        """Return the cosine of all vectors with all, shape "first second"."""
        first, second = np.atleast_2d(embeddings1), np.atleast_2d(embeddings2)
        cosines: Rows = first @ second.T
        return cosines

    def similarity_pairwise(self, embeddings1: Rows, embeddings2: Rows) -> Rows:
        """Return the cosine of each vector with the one in its place, shape "pair"."""
        first, second = np.atleast_2d(embeddings1), np.atleast_2d(embeddings2)
        cosines: Rows = np.einsum("pd,pd->p", first, second)
        return cosines


# Options of `SentenceTransformer.encode` that would change what comes back, and what leaves it.
_UNCHANGED: dict[str, tuple[Any, ...]] = {
    "prompt": (None,),
    "prompt_name": (None,),
    "output_value": (None, "sentence_embedding"),
    "precision": (None, "float32"),
    "convert_to_numpy": (True,),
    "convert_to_tensor": (False,),
}
# Vectors have length 1 whether that is asked for or not.
_WITHOUT_EFFECT = frozenset(
    {
        "batch_size",
        "chunk_size",
        "device",
        "normalize_embeddings",
        "pool",
        "show_progress_bar",
        "truncate_dim",
    }
)
