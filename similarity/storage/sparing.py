"""A store that no work depends on: where it fails, results are computed again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from similarity.errors import InputError
from similarity.storage.store import DEFAULT_BYTES, Store


class SparingStore(Store):
    """A store that is not used any more after its first failure, as on a full or read-only disk.

    Parameters
    ----------
    path, max_bytes
        As `Store` has them.
    on_failure
        Called once, with the error after which nothing is kept any more.

    Raises
    ------
    InputError
        If the file cannot be opened, or is no store.
    """

    def __init__(
        self,
        path: Path,
        on_failure: Callable[[InputError], object],
        max_bytes: int = DEFAULT_BYTES,
    ) -> None:
        super().__init__(path, max_bytes)
        self._on_failure = on_failure
        self._failed = False

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values that are known and whole, by key; none after a failure."""
        if not self._failed:
            try:
                return super().get(keys)
            except InputError as error:
                self._give_up(error)
        return {}

    def put(self, kind: str, values: Mapping[bytes, bytes]) -> None:
        """Keep values of a kind, all or none; none after a failure."""
        if not self._failed:
            try:
                super().put(kind, values)
            except InputError as error:
                self._give_up(error)

    def forget(self, keys: Sequence[bytes]) -> None:
        """Delete the entries of these keys, where there are such; nothing after a failure."""
        if not self._failed:
            try:
                super().forget(keys)
            except InputError as error:
                self._give_up(error)

    def _give_up(self, error: InputError) -> None:
        self._failed = True
        self._on_failure(error)
