"""Meaning vectors behind the interface of sentence-transformers' `SentenceTransformer`.

Nothing of that package is needed here; its evaluators take this in the place of one of its models.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from similarity.arrays import Rows
from similarity.compat.shared import Evaluations, as_tensor, check_options, warn_of
from similarity.given import given_strings
from similarity.texts.truncation import END
from similarity.vectors.meaning import MeaningVectors


class VectorEncoder:
    """Encodes texts into vectors of length 1, whose cosine is how alike they are in meaning.

    Parameters
    ----------
    truncate
        What is done with texts that are too long: their end is left out with a warning, where
        sentence-transformers leaves it out without; or "start", or "refuse".

    Attributes
    ----------
    similarity_fn_name
        How vectors are compared: by their cosine.
    model_card_data
        Keeps what the evaluators of sentence-transformers report.
    """

    similarity_fn_name = "cosine"

    def __init__(self, vectors: MeaningVectors, *, truncate: str = END) -> None:
        self.vectors = vectors
        self.truncate = truncate
        self.model_card_data = Evaluations()

    def get_sentence_embedding_dimension(self) -> int:
        """Return the number of coordinates of a vector."""
        return self.vectors.width

    get_embedding_dimension = get_sentence_embedding_dimension

    def encode(self, inputs: str | Sequence[str], **options: Any) -> Any:
        """Return the vectors, shape "text width", or of one text its vector, shape "width".

        Parameters
        ----------
        options
            Of `SentenceTransformer.encode`: `truncate_dim` keeps the first coordinates, and
            `convert_to_tensor` gives a tensor of torch in the place of an array of NumPy. Those
            that change nothing here are taken, as progress bars, devices and batch sizes.

        Raises
        ------
        InputError
            If a text is empty or not valid Unicode.
        ConfigError
            If another precision or a prompt is given, or there are not so many coordinates.
        """
        why = "vectors are of float32, and their prompt is that of their fit"
        check_options(options, _UNCHANGED, _WITHOUT_EFFECT, why)
        texts = [inputs] if isinstance(inputs, str) else given_strings(inputs)
        truncator = self.vectors.truncator(self.truncate)
        cut = truncator.cut(texts)
        warn_of(truncator.warnings(texts))
        rows = self.vectors.encode(cut, dimensions=options.get("truncate_dim"))
        found = rows[0] if isinstance(inputs, str) else rows
        return as_tensor(found) if options.get("convert_to_tensor") else found

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
}
# These are taken and change nothing: vectors always have length 1.
_WITHOUT_EFFECT = frozenset(
    {
        "batch_size",
        "chunk_size",
        "convert_to_numpy",
        "convert_to_tensor",
        "device",
        "normalize_embeddings",
        "pool",
        "show_progress_bar",
        "truncate_dim",
    }
)
