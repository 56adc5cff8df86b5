"""The kinds of arrays that functions take and return."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
# Whole next-token distributions, or hidden states: kept in single precision, as there are many.
Rows = NDArray[np.float32]
# Log-probabilities of a sequence's tokens, nats.
LogProbs = NDArray[np.float64]
