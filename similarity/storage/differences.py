"""What differs between two sets of plain values, such as settings, named for a person."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

# How the digest of something that is not shown is named.
DIGEST_OF = "SHA-256 of "
_VECTORS = "the preset is another, or the vectors (a model that takes too few tokens lacks some)"
# What a person knows some values by; they themselves mean nothing to a reader.
_KNOWN_BY = {
    "fingerprint.calibration": "the scale of similarities is another (trajsim scales list)",
    "fingerprint.settings.vectors": _VECTORS,
    "vectors": _VECTORS,
}
# Longer values are cut.
_LONGEST = 60


def differences(got: Any, there: Any, name: str = "") -> Iterator[str]:
    """Yield a line for each value that differs, with its name in nested objects."""
    if name in _KNOWN_BY:
        if got != there:
            yield _KNOWN_BY[name]
    elif isinstance(got, dict) and isinstance(there, dict):
        for key in sorted(got.keys() | there.keys()):
            inner = f"{name}.{key}" if name else key
            yield from differences(got.get(key), there.get(key), inner)
    elif isinstance(got, list) and isinstance(there, list):
        for number, (one, other) in enumerate(zip_longest(got, there)):
            yield from differences(one, other, f"{name}.{number}")
    elif got != there and name.startswith(DIGEST_OF):
        # A digest means nothing to a reader.
        yield f"{name.removeprefix(DIGEST_OF)} has changed since"
    elif got != there:
        yield f"{name} is {_shown(got)}, there {_shown(there)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
