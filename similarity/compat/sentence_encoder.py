"""Meaning vectors behind the interface of sentence-transformers' `SentenceTransformer`.

Nothing of that package is needed here; its evaluators take this in the place of one of its models.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from similarity.arrays import Rows
from similarity.compat.shared import Evaluations, as_tensor, check_options, is_tensor, warn_of
from similarity.errors import InputError
from similarity.given import given_strings
from similarity.texts.truncation import END
from similarity.validation import check_kind, given_integer
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.whitening import unit


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

    Raises
    ------
    ConfigError
        If these are no vectors, or there is no such way to cut.
    """

    similarity_fn_name = "cosine"

    def __init__(self, vectors: MeaningVectors, *, truncate: str = END) -> None:
        wanted = "meaning vectors, as open_vectors of similarity.vectors.general gives them"
        check_kind("vectors", vectors, MeaningVectors, wanted)
        vectors.truncator(truncate)  # refuses another way
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
            If another precision, a prompt or no whole batch size is given, or there are not so
            many coordinates.
        """
        given_integer("batch_size", options.get("batch_size", 1), at_least=1)
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

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of all vectors with all, shape "first second".

        Parameters
        ----------
        embeddings1, embeddings2
            Vectors of any length, as a mean of several is, and of any kind of number. The cosine
            with a row of zeros is 0. Of tensors of torch comes a tensor.

        Raises
        ------
        InputError
            If these are no rows of finite numbers, or not of the same width.
        """
        first, second = _unit_rows(embeddings1, embeddings2)
        return _like(embeddings1, first @ second.T)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of each vector with the one in its place, shape "pair".

        Parameters
        ----------
        embeddings1, embeddings2
            As of `similarity`.

        Raises
        ------
        InputError
            As `similarity` does, or if one has more rows than the other.
        """
        first, second = _unit_rows(embeddings1, embeddings2)
        if len(first) != len(second):
            raise InputError(
                f"similarity_pairwise wants as many vectors on both sides, got {len(first)} and "
                f"{len(second)}; similarity compares all with all"
            )
        return _like(embeddings1, np.einsum("pd,pd->p", first, second))


def _unit_rows(first: Any, second: Any) -> tuple[Rows, Rows]:
    """Return vectors as rows of length 1 and of the same width, shape "vector width"."""
    rows, others = _rows(first), _rows(second)
    if rows.shape[1] != others.shape[1]:
        raise InputError(
            f"vectors of {rows.shape[1]} and of {others.shape[1]} coordinates have no cosine; give "
            "encode the same truncate_dim for both"
        )
    return rows, others


def _rows(embeddings: Any) -> Rows:
    try:
        rows = np.atleast_2d(np.asarray(embeddings, np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"embeddings must be rows of numbers, as encode gives: {error}") from error
    if rows.ndim != 2:
        raise InputError(f"embeddings must be rows of numbers, got the shape {rows.shape}")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise InputError(
            f"embeddings must be finite numbers, and row {finite.argmin()} (counted from 0) has "
            "others; leave it out, or see what made it"
        )
    return unit(rows).astype(np.float32)


def _like(given: Any, found: Rows) -> Any:
    return as_tensor(found) if is_tensor(given) else found


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
