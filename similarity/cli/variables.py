"""The variables of the environment that the library reads, and what is nearly one of them."""

from collections.abc import Collection, Iterable, Iterator
from difflib import SequenceMatcher

from similarity import known_scales
from similarity.cli.answers import KEEP_VARIABLE
from similarity.models.loader import ENGINE_VARIABLE
from similarity.models.vllm_server.config import ServerConfig
from similarity.storage import user_cache

PREFIX = "TRAJSIM_"
# Of the option --model.
MODEL_VARIABLE = PREFIX + "MODEL"
LIBRARY = frozenset(
    (
        MODEL_VARIABLE,
        *ServerConfig.variables(),
        ENGINE_VARIABLE,
        user_cache.VARIABLE,
        known_scales.VARIABLE,
        KEEP_VARIABLE,
    )
)
# How like two names are, from 0 to 1, that one of them may be meant by the other.
_NEAR = 0.88


def misspelt(names: Iterable[str], known: Collection[str] = LIBRARY) -> Iterator[tuple[str, str]]:
    """Yield those variables that are not known but nearly so, each with the known one.

    Others that begin alike are left in peace: the deployment has some of its own, and Kubernetes
    makes some for each service.
    """
    # Without what all begin with, or each would be like all others.
    ends = sorted(name.removeprefix(PREFIX) for name in known)
    for name in names:
        if name.startswith(PREFIX) and name not in known:
            near = _near(name.removeprefix(PREFIX), ends)
            if near is not None:
                yield name, PREFIX + near


def _near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is one slip away or else likest, if much of it is like."""
    is_slip, likeness, nearest = max(
        (_is_one_slip(name, one), SequenceMatcher(None, name, one).ratio(), one) for one in known
    )
    return nearest if is_slip or likeness >= _NEAR else None


def _is_one_slip(name: str, other: str) -> bool:
    """Return whether one letter is wrong, missing or too many, or two have changed places."""
    letters = zip(name, other, strict=False)
    shorter = min(len(name), len(other))
    begun = next((place for place, (a, b) in enumerate(letters) if a != b), shorter)
    one, two = name[begun:], other[begun:]
    swapped = one[:2] == two[:2][::-1] and one[2:] == two[2:]
    return swapped or one[1:] == two[1:] or one[1:] == two or one == two[1:]
