"""The variables of the environment that the library reads, and what is nearly one of them."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from similarity import known_scales
from similarity.cli.answers import KEEP_VARIABLE
from similarity.models.loader import ENGINE_VARIABLE
from similarity.models.vllm_server.config import ServerConfig
from similarity.storage import user_cache

PREFIX = "TRAJSIM_"
LIBRARY = frozenset(
    (
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
            for near in get_close_matches(name.removeprefix(PREFIX), ends, n=1, cutoff=_NEAR):
                yield name, PREFIX + near
