"""Whether servers are alive: a look at each, for which no request waits."""

import time
from collections.abc import Sequence

import anyio

from similarity.errors import (
    BackendKeyError,
    BackendUnavailableError,
    ModelChangedError,
    ModelError,
)
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.roster import Roster

# A server that neither answers a look within this nor computes anything meanwhile is away. A slow
# one may take as long; a longer time would leave the callers of one that hangs waiting.
ALIVE_SECONDS = 3.0
# One whose requests all failed for so long is away too, however well its health is.
FAILING_SECONDS = 2.0


async def check_alive(roster: Roster) -> None:
    """Check that a server answers within ALIVE_SECONDS, or computes, and is as at loading.

    Raises
    ------
    BackendUnavailableError
        If none does. Once too, if all requests to each have failed for FAILING_SECONDS.
    ModelChangedError, BackendKeyError
        If each has another model, or each wants another key.
    """
    began = time.monotonic()
    well: list[Replica] = []
    found: dict[str, ModelError] = {}
    wishes: list[float] = []

    async def look_at(replica: Replica) -> None:
        try:
            # The requests of a busy one look at its tokenizer, and wait as long as they must.
            await roster.check_serving(replica, reading=not replica.busy)
        except ModelChangedError as error:
            roster.take_out_well(replica, error)
            found[replica.url] = error
        except PassingError as failure:
            found[replica.url] = failure.error
            if failure.retry_after is not None:
                wishes.append(min(failure.retry_after, roster.patience))
        except ModelError as error:
            found[replica.url] = error
        else:
            well.append(replica)
            group.cancel_scope.cancel()

    with anyio.move_on_after(ALIVE_SECONDS):
        async with anyio.create_task_group() as group:
            for replica in roster.replicas:
                group.start_soon(look_at, replica)
    late = [one for one in roster.replicas if one.url not in found]
    if not well and not any(one.computed_at >= began for one in late):
        raise _why_away(roster.replicas, list(found.values()), min(wishes, default=None))
    if _all_fail(roster.replicas):
        # Once, so that the next caller may send a request and see whether one has recovered.
        for replica in roster.replicas:
            replica.failing_since = None
        raise roster.away()


def _why_away(
    replicas: Sequence[Replica], found: Sequence[ModelError], retry_after: float | None
) -> ModelError:
    """Return what tells best that no server is well, of what was found of some."""
    for kind in (ModelChangedError, BackendKeyError):
        # What is wrong with one for long says nothing of another that may be back soon.
        if len(found) == len(replicas) and all(isinstance(error, kind) for error in found):
            return found[0]
    urls = ", ".join(replica.url for replica in replicas)
    causes = "; ".join(dict.fromkeys(map(str, found))) or (
        f"nothing within {ALIVE_SECONDS:g} s; start it, or see its log"
    )
    return BackendUnavailableError(f"no answer from {urls}: {causes}", retry_after)


def _all_fail(replicas: Sequence[Replica]) -> bool:
    """Return whether each server has failed for FAILING_SECONDS, or is left out."""
    before = time.monotonic() - FAILING_SECONDS
    failing = [one for one in replicas if one.failing_since is not None]
    untried = [one for one in replicas if one.failing_since is None]
    return (
        bool(failing)
        and all((one.failing_since or 0.0) < before for one in failing)
        and all(one.failures for one in untried)
    )
