"""Reads continuations after their prefixes, each prefix once, for a network that has branches.

Nothing is hidden but what comes later, so that a pack may be as long as there is memory for.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from similarity.models.base import TokenIds
from similarity.models.branches import Branches
from similarity.models.network import Network
from similarity.models.padding import batches_by_length, left_padded, right_padded

# Tokens read at a time: enough to fill a processor, few enough that rows of like length meet.
ROW_TOKENS = {"cpu": 768, "cuda": 16384}


def states_after(
    network: Network, prefixes: Sequence[TokenIds], continuations: Sequence[Sequence[TokenIds]]
) -> Tensor:
    """Return the states, shape "token width", that predict all tokens of continuations in turn.

    Parameters
    ----------
    continuations
        Of each prefix, none of them empty.
    """
    device = network.device
    trunks, last = _begun(network, prefixes)
    rows = [(i, ids) for i, some in enumerate(continuations) for ids in some]
    owners = torch.tensor([owner for owner, _ in rows], device=device)
    lengths = torch.tensor([len(ids) for _, ids in rows], device=device)
    ends = lengths.cumsum(0)
    states = last.new_empty((int(ends[-1]), last.shape[-1]))
    states[ends - lengths] = last[owners]
    # A continuation's last token is predicted, never read.
    read = [ids[:-1] for _, ids in rows]
    longer = [i for i, ids in enumerate(read) if ids]
    for batch in batches_by_length([read[i] for i in longer], ROW_TOKENS[device.type]):
        chosen = torch.tensor([longer[i] for i in batch], device=device)
        ids, mask = right_padded([read[i] for i in chosen], device)
        at, places = mask.nonzero(as_tuple=True)
        begins = mask.new_tensor([len(prefix) for prefix in prefixes])[owners[chosen]]
        positions = begins[:, None] + torch.arange(ids.shape[1], device=device)
        rows_of_trunks = trunks.branched(owners[chosen])
        found = _states(network, ids, None, positions, at, places, rows_of_trunks)
        states[(ends - lengths)[chosen][at] + 1 + places] = found
    return states


def _begun(network: Network, prefixes: Sequence[TokenIds]) -> tuple[Branches, Tensor]:
    """Read prefixes; return the network's state after them, and the states before the head."""
    ids, mask = left_padded(prefixes, network.device)
    trunks = network.new_cache()
    assert isinstance(trunks, Branches), "the network has branches"
    rows = torch.arange(len(ids), device=ids.device)
    last = torch.full_like(rows, ids.shape[1] - 1)
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    padding = None if mask.all() else mask
    return trunks, _states(network, ids, padding, positions, rows, last, trunks)


def _states(network: Network, *given: Any) -> Tensor:
    states = network.states_at(*given)
    assert states is not None, "a network that has branches has a head that is known"
    return states
