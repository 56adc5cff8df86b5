"""Keeps what is read for a fit, part by part, so that a fit that failed goes on where it was."""

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from similarity.arrays import Rows
from similarity.digests import digest_of
from similarity.errors import InputError, ModelChangedError
from similarity.models.base import LanguageModel, OnProgress
from similarity.slices import slices
from similarity.storage.arrays import load_arrays
from similarity.storage.files import replace_file, writing
from similarity.vectors.meaning import Features, read_groups
from similarity.vectors.reader import Arrays, Reader

logger = logging.getLogger(__name__)

# Texts that are read and kept together: what is read again after a failure, at most.
PART_TEXTS = 64


class KeptReading:
    """Reads features as `read_groups` does, and keeps them in a folder.

    Parameters
    ----------
    folder
        Of one model and one setting of the groups alone; it is made where needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keeps = True

    def read(
        self,
        readers: Mapping[str, Reader],
        model: LanguageModel,
        texts: Sequence[str],
        on_progress: OnProgress,
    ) -> Features:
        """Return the features that each reader gives of texts, by name; takes those it has.

        Raises ModelChangedError, and keeps nothing, if another model was found meanwhile.
        """
        changes = model.changes()
        try:
            parts = [
                self._part(readers, model, some, on_progress) for some in slices(texts, PART_TEXTS)
            ]
        finally:
            # Which of them the other one read is not known.
            if changed := model.changes() != changes:
                self.remove()
        if changed:
            raise ModelChangedError(
                f"a server of {model.info.name} had another model while general text was read; "
                "try again"
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in readers}

    def remove(self) -> None:
        """Delete what was kept, once the fit is kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _part(
        self,
        readers: Mapping[str, Reader],
        model: LanguageModel,
        texts: Sequence[str],
        on_progress: OnProgress,
    ) -> Features:
        path = self._folder / f"{_key(readers, texts)}.npz"
        if path.is_file():
            try:
                known: Features = load_arrays(path)
            except InputError:
                pass  # damaged: read again, and written in its place
            else:
                on_progress(len(texts))
                return known
        features = read_groups(readers, model, texts, on_progress)
        if self._keeps:
            try:
                with writing(path):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    replace_file(path, partial(_write, features))
            except InputError as error:
                self._keeps = False
                logger.warning("what is read of general text is not kept: %s", error)
        return features


def _key(readers: Mapping[str, Reader], texts: Sequence[str]) -> str:
    made_of = {
        name: {key: _digest(np.asarray(array)) for key, array in reader.arrays().items()}
        for name, reader in readers.items()
    }
    return digest_of({"readers": made_of, "texts": list(texts)})


def _digest(array: Rows) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _write(features: Features, path: Path) -> None:
    arrays: Arrays = dict(features)
    with path.open("wb") as file:
        np.savez(file, **arrays)
