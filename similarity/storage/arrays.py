"""Reads arrays that were kept in a file, which may be damaged."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.errors import InputError


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file by their names, read whole.

    Raises
    ------
    InputError
        If it cannot be read, or is damaged in any way.
    """
    try:
        # From memory, as NumPy leaves a damaged file open.
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return dict(arrays)
    # By the byte that is damaged it is one of NumPy, zipfile, zlib or ast: some ten kinds.
    except Exception as error:
        raise InputError(f"cannot read {path}: {error}") from error
