"""Keeps every trajectory that a run samples: each text is sampled once over all of its tasks.

On disk there is one file for each chunk of the run. So a run which goes on has the same
trajectories, also from a server that would not sample them again. States are kept in memory for the
methods that read the same texts.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import Rows
from similarity.errors import InputError
from similarity.law import Law
from similarity.models.base import (
    Continuation,
    LanguageModel,
    OnProgress,
    SampleRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.wrapper import WrapperModel
from similarity.storage.arrays import load_arrays
from similarity.storage.files import replace_file

# Bytes of states that are held at most.
HELD = 256 * 2**20

# What was sampled: a text's noise key, its trajectories from which number on, how many, and
# their length.
Key = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Sampled:
    """A text's trajectories in three arrays: objects for each token would fill the memory."""

    token_ids: NDArray[np.int32]  # of all trajectories, one behind the other
    lengths: NDArray[np.int32]  # "trajectory"
    ended: NDArray[np.bool_]  # "trajectory"
    log_probs: NDArray[np.float64]  # as the ids; empty where the model gave none

    @classmethod
    def of(cls, continuations: Sequence[Continuation]) -> "_Sampled":
        given = [c.log_probs for c in continuations if c.log_probs is not None]
        complete = len(given) == len(continuations)
        ids = [token for continuation in continuations for token in continuation.token_ids]
        return cls(
            np.array(ids, np.int32),
            np.array([len(c.token_ids) for c in continuations], np.int32),
            np.array([c.ended for c in continuations], np.bool_),
            np.concatenate(given) if complete else np.empty(0),
        )

    def continuations(self) -> list[Continuation]:
        # By slices of a list: np.split alone takes longer than the rest.
        ids, ends = tuple(self.token_ids.tolist()), np.cumsum(self.lengths).tolist()
        rows = self.log_probs if self.log_probs.size else None
        return [
            Continuation(
                token_ids=ids[start:end],
                log_probs=None if rows is None else rows[start:end],
                ended=ended,
            )
            for start, end, ended in zip([0, *ends[:-1]], ends, self.ended.tolist(), strict=True)
        ]


class CachedModel(WrapperModel):
    """A model that never samples the same twice: a cache in memory, saved by the chunk.

    It knows what it sampled by the noise key of a text with its prompt, so it is for one model
    and law. Of states it repeats what a call for the very same prefixes got. A text read in another
    batch could differ by rounding, and a run that goes on must end with the same bytes.
    """

    def __init__(self, wrapped: LanguageModel, folder: Path) -> None:
        super().__init__(wrapped)
        self._folder = folder
        self._known: dict[Key, _Sampled] = {}
        self._new: dict[Key, _Sampled] = {}
        self._states: OrderedDict[bytes, Rows] = OrderedDict()
        self._held = 0

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Return the wrapped model's rows; it computes the same batch only once."""
        batch = sha256(repr([tuple(prefix) for prefix in prefixes]).encode()).digest()
        if (found := self._states.pop(batch, None)) is None:
            found = self.wrapped.next_states(prefixes, on_progress)
            self._held += found.nbytes
        else:
            on_progress(len(prefixes))
        self._states[batch] = found
        while self._held > HELD and len(self._states) > 1:
            _, oldest = self._states.popitem(last=False)
            self._held -= oldest.nbytes
        return found

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample what is not known yet."""
        missing = {
            key: request
            for key, request in ((_key(request), request) for request in requests)
            if key not in self._known
        }
        on_progress(len(requests) - len(missing))
        sampled = self.wrapped.sample(list(missing.values()), law, on_progress)
        fresh = dict(zip(missing, sampled, strict=True))
        for key, continuations in fresh.items():
            self._known[key] = self._new[key] = _Sampled.of(continuations)
        return [
            fresh[key] if key in fresh else self._known[key].continuations()
            for key in map(_key, requests)
        ]

    def save(self, chunk: int) -> None:
        """Write what was sampled since the last chunk, whole or not at all."""
        if not self._new:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / _name(chunk), self._write_new)
        self._new.clear()

    def _write_new(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                keys=np.array([key for key, *_ in self._new], np.uint64),
                sizes=np.array([size for _, *size in self._new], np.int64),
                trajectories=np.concatenate([s.lengths for s in self._new.values()]),
                ended=np.concatenate([s.ended for s in self._new.values()]),
                token_ids=np.concatenate([s.token_ids for s in self._new.values()]),
                log_probs=np.concatenate([s.log_probs for s in self._new.values()]),
            )
            file.flush()
            os.fsync(file.fileno())

    def load(self, chunks: int) -> None:
        """Read what the first `chunks` chunks sampled.

        Raises
        ------
        InputError
            If a file cannot be read.
        """
        for chunk in range(chunks):
            path = self._folder / _name(chunk)
            if path.exists():
                self._known |= _read(path)


def _key(request: SampleRequest) -> Key:
    return request.key, request.start, request.n, request.max_tokens


def _name(chunk: int) -> str:
    return f"{chunk:06d}.npz"


def _read(path: Path) -> dict[Key, _Sampled]:
    try:
        return _parted(load_arrays(path))
    except InputError as error:
        raise InputError(f"{error}; delete the run and start anew") from error
    except (ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged: {error}; delete the run and start anew") from error


def _parted(content: Mapping[str, NDArray[Any]]) -> dict[Key, _Sampled]:
    """Return the texts of a file's arrays, as `CachedModel.save` joins them."""
    keys = [
        (int(key), int(start), int(n), int(length))
        for key, (start, n, length) in zip(content["keys"], content["sizes"], strict=True)
    ]
    counts = np.cumsum([n for *_, n, _ in keys])[:-1]
    lengths = np.split(content["trajectories"], counts)
    ended = np.split(content["ended"], counts)
    tokens = np.cumsum([part.sum() for part in lengths])[:-1]
    ids = np.split(content["token_ids"], tokens)
    rows = content["log_probs"]
    log_probs = np.split(rows, tokens) if rows.size else [rows] * len(ids)
    return {
        key: _Sampled(*arrays)
        for key, *arrays in zip(keys, ids, lengths, ended, log_probs, strict=True)
    }
