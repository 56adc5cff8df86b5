"""A fixed random projection of next-token distributions, from the library's own hash."""

from functools import lru_cache

import numpy as np

from similarity.arrays import Rows
from similarity.noise import exponential, step_key, text_key

# Half of all unit exponentials are above it.
MEDIAN = float(np.log(2))


@lru_cache(maxsize=4)
def signs(vocabulary: int, width: int, seed: int) -> Rows:
    """Return ±1/√width, shape "vocabulary width".

    By the lemma of Johnson and Lindenstrauss, with signs for its matrix (Achlioptas 2003), inner
    products survive the projection to within about 1/√width of the norms. The bits are a hash of
    seed, column and token: the same with any version of NumPy, so that none need be stored.
    """
    key = text_key(seed, "projection")
    columns = [exponential(step_key(key, column, 0), vocabulary) for column in range(width)]
    matrix = np.where(np.stack(columns, axis=1) > MEDIAN, np.float32(1), np.float32(-1))
    matrix = (matrix / np.float32(np.sqrt(width))).astype(np.float32)
    matrix.setflags(write=False)
    return matrix
