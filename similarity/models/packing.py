"""Scores all continuations of a prefix in packed forwards that share the prefix.

A pack is the prefix once, then continuations side by side; a block mask hides them from each other
and position ids let each begin where the prefix ends. A network that cannot be masked so gets
packs of one continuation, which are plain readings. One that has branches reads the prefix, and
then its continuations as rows that go on from it (`continuing`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from similarity.arrays import LogProbs, Rows
from similarity.law import Law
from similarity.models.base import ScoreRequest, TokenIds
from similarity.models.continuing import states_after
from similarity.models.network import Network
from similarity.models.padding import filled, right_padded
from similarity.models.torch_ops import law_log_probs, token_log_probs

Number = TypeVar("Number", np.float32, np.float64)
# Of attention, so many pairs of positions take as long as one token in a network's products;
# measured on SmolLM2 (docs/log.md).
_PLACES_OF_A_TOKEN = 1200


@dataclass
class Pack:
    """Tokens to read in one row, and the places in it that predict each continuation."""

    owner: int
    ids: list[int]
    positions: list[int]
    segments: list[int]
    # For each continuation: its number in the request, the places that predict it, its tokens.
    targets: list[tuple[int, list[int], TokenIds]] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Return whether it is an ordinary text, with nothing to hide by a block mask."""
        return len(self.targets) == 1

    def add(self, number: int, continuation: TokenIds, prefix_length: int) -> None:
        """Append a continuation; its last token is predicted, never read."""
        begin = len(self.ids)
        read = continuation[:-1]
        self.ids += read
        self.positions += range(prefix_length, prefix_length + len(read))
        self.segments += [len(self.targets) + 1] * len(read)
        places = [prefix_length - 1, *range(begin, begin + len(read))]
        self.targets.append((number, places, continuation))


def make_packs(owner: int, request: ScoreRequest, max_tokens: int) -> Iterator[Pack]:
    """Cut a request into packs of at most `max_tokens` read tokens, or one continuation.

    There are as few packs as possible, and the longest is as short as possible.
    """
    length = len(request.prefix)
    pack: Pack | None = None
    for number, opens in enumerate(_opening(request, max_tokens)):
        if pack is None or opens:
            if pack is not None:
                yield pack
            pack = _of_prefix(owner, request.prefix)
        pack.add(number, request.continuations[number], length)
    if pack is not None:
        yield pack


def pack_tokens(prefix: int) -> int:
    """Return the number of read tokens for which packs of a prefix cost least, if there are many.

    The masked places of a long pack grow with its square. Short packs read the prefix more
    often. For t tokens after a prefix of p, a token costs (p + t)² / t places and p / t
    readings. The sum is least at t² = p² + c p, where a token costs as much as c places.
    """
    return prefix + math.isqrt(prefix * (prefix + _PLACES_OF_A_TOKEN))


def _opening(request: ScoreRequest, max_tokens: int) -> list[bool]:
    """Return, for each continuation, whether it opens a pack."""
    lengths = [len(continuation) - 1 for continuation in request.continuations]
    room = max_tokens - len(request.prefix)
    found = _filled(lengths, room)
    packs = sum(found)
    # The least room for which there are no more packs.
    low, high = -1, room
    while high - low > 1:
        middle = (low + high) // 2
        tried = _filled(lengths, middle)
        if sum(tried) == packs:
            found, high = tried, middle
        else:
            low = middle
    return found


def _filled(lengths: Sequence[int], room: int) -> list[bool]:
    """Return, for each length, whether it opens a pack if packs are filled in turn."""
    opens: list[bool] = []
    used = 0
    for length in lengths:
        opens.append(not opens or used + length > room)
        used = length if opens[-1] else used + length
    return opens


def batches(packs: Sequence[Pack], max_tokens: int) -> Iterator[list[Pack]]:
    """Group packs of like length, at most `max_tokens` with padding (or a single pack).

    Plain readings stay apart: they are masked by the network itself, as its windows want.
    """
    batch: list[Pack] = []
    for pack in sorted(packs, key=lambda pack: (pack.plain, len(pack.ids))):
        full = len(pack.ids) * (len(batch) + 1) > max_tokens
        if batch and (full or pack.plain != batch[0].plain):
            yield batch
            batch = []
        batch.append(pack)
    if batch:
        yield batch


def alone(pack: Pack, target: int) -> Pack:
    """Return one continuation of a pack after the prefix, with nothing beside it."""
    return _of_targets(pack, pack.targets[target : target + 1])


def plain_pack(owner: int, number: int, prefix: Sequence[int], continuation: TokenIds) -> Pack:
    """Return a continuation after its prefix, to be read as an ordinary text."""
    pack = _of_prefix(owner, prefix)
    pack.add(number, continuation, len(prefix))
    return pack


def halves(batch: Sequence[Pack]) -> Iterator[list[Pack]]:
    """Yield two batches of the same continuations; cut a single pack, which is not a plain one."""
    if len(batch) > 1:
        middle = len(batch) // 2
        yield list(batch[:middle])
        yield list(batch[middle:])
        return
    (pack,) = batch
    middle = len(pack.targets) // 2
    yield [_of_targets(pack, pack.targets[:middle])]
    yield [_of_targets(pack, pack.targets[middle:])]


def _of_targets(pack: Pack, targets: Sequence[tuple[int, list[int], TokenIds]]) -> Pack:
    part = _of_prefix(pack.owner, pack.ids[: pack.segments.count(0)])
    prefix_length = len(part.ids)
    for number, _, continuation in targets:
        part.add(number, continuation, prefix_length)
    return part


def _of_prefix(owner: int, prefix: Sequence[int]) -> Pack:
    length = len(prefix)
    return Pack(owner, list(prefix), list(range(length)), [0] * length)


def simpler(batch: Sequence[Pack]) -> Iterator[list[Pack]]:
    """Yield simpler batches of the same continuations: single packs, or packs of one each."""
    if batch[0].plain:
        yield from ([pack] for pack in batch)
    else:
        singles = [alone(pack, i) for pack in batch for i in range(len(pack.targets))]
        yield from batches(singles, sum(len(pack.ids) for pack in batch))


@torch.inference_mode()
def score_packs(
    network: Network, packs: Sequence[Pack], law: Law
) -> Iterator[tuple[int, int, LogProbs]]:
    """Yield owner, number and log-probabilities (shape "token", nats) of each continuation."""
    tokens = [token for pack in packs for _, _, ids in pack.targets for token in ids]
    wanted, parts = torch.tensor(tokens, device=network.device), []
    for logits in _predicting(network, packs):
        some, wanted = wanted[: len(logits)], wanted[len(logits) :]
        parts.append(token_log_probs(logits, some, law))
    yield from _by_continuation(packs, torch.cat(parts).double().cpu().numpy())


@torch.inference_mode()
def distributions_of_packs(
    network: Network, packs: Sequence[Pack], law: Law
) -> Iterator[tuple[int, int, Rows]]:
    """Yield owner, number and log-probabilities of all tokens, shape "token vocabulary"."""
    parts = [law_log_probs(logits, law) for logits in _predicting(network, packs)]
    yield from _by_continuation(packs, torch.cat(parts).cpu().numpy())


@torch.inference_mode()
def hidden_states(network: Network, prefixes: Sequence[TokenIds]) -> list[Rows]:
    """Return the last layer's states of each prefix, shape "token width"."""
    ids, mask = right_padded(prefixes, network.device)
    states = network.states(ids, mask).float().cpu().numpy()
    return [rows[: len(prefix)] for rows, prefix in zip(states, prefixes, strict=True)]


def _predicting(network: Network, packs: Sequence[Pack]) -> Iterator[Tensor]:
    """Yield logits, shape "token vocabulary", that predict the target tokens, some at a time."""
    if network.branches and not packs[0].plain:
        prefixes = [tuple(pack.ids[: pack.segments.count(0)]) for pack in packs]
        found = [[ids for _, _, ids in pack.targets] for pack in packs]
        yield from network.logits_in_parts(states_after(network, prefixes, found))
        return
    rows = [row for row, pack in enumerate(packs) for _, at, _ in pack.targets for _ in at]
    places = [place for pack in packs for _, at, _ in pack.targets for place in at]
    device = network.device
    at = torch.tensor(rows, device=device), torch.tensor(places, device=device)
    ids = filled([pack.ids for pack in packs], 0, device)
    segments = filled([pack.segments for pack in packs], -1, device)
    if packs[0].plain:
        # Without a mask where there is no padding: what a plain reading is.
        padded = len({len(pack.ids) for pack in packs}) > 1
        mask, positions = (segments >= 0).long() if padded else None, None
    else:
        mask = network.block_mask(visible(segments))
        positions = filled([pack.positions for pack in packs], 0, device)
    states = network.states_at(ids, mask, positions, *at)
    if states is None:
        yield network.read(ids, mask, positions)[at]
    else:
        yield from network.logits_in_parts(states)


def _by_continuation(
    packs: Sequence[Pack], flat: NDArray[Number]
) -> Iterator[tuple[int, int, NDArray[Number]]]:
    ends = np.cumsum([len(ids) for pack in packs for _, _, ids in pack.targets])
    owners = ((pack.owner, number) for pack in packs for number, _, _ in pack.targets)
    for (owner, number), rows in zip(owners, np.split(flat, ends[:-1]), strict=True):
        yield owner, number, rows


def visible(segments: Tensor) -> Tensor:
    """Return which positions each one may see, shape "pack query key", from "pack position".

    Segment 0 is the prefix, 1, 2, … the continuations, −1 padding (which sees itself, as a
    soft-max over nothing would not be a number).
    """
    query, key = segments[:, :, None], segments[:, None, :]
    width = segments.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    itself = torch.eye(width, dtype=torch.bool, device=segments.device)
    return (((key == 0) | (key == query)) & (key >= 0) & causal) | itself
