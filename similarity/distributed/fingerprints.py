"""Checks that all workers would give the same rows, by comparing their fingerprints."""

import socket
from typing import Any

from similarity.errors import BackendRefusedError
from similarity.storage.differences import differences


def check_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Refuse a worker whose rows would differ from those of the first one.

    Parameters
    ----------
    found, expected
        Of the worker, and of the first one, as plain values.

    Raises
    ------
    BackendRefusedError
        If they differ; it names the machine, where that is this one, and what differs.
    """
    differing = [each for each in differences(found, expected) if not each.startswith("id is")]
    if differing:
        raise BackendRefusedError(
            f"a worker is not as the first one: {'; '.join(differing)} (seen on "
            f"{socket.gethostname()}); give all machines the same version of trajsim and the same "
            "model"
        )
