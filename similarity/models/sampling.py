"""Samples many texts' trajectories together: each prefix is read once, then all rows step."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from similarity.law import Law
from similarity.models.base import Continuation, SampleRequest
from similarity.models.network import Network
from similarity.models.padding import left_padded
from similarity.models.torch_ops import draw
from similarity.noise import step_key


@dataclass
class Row:
    """One trajectory in the making: the `trajectory`-th of a request."""

    owner: int
    trajectory: int
    request: SampleRequest
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)

    @property
    def last(self) -> bool:
        """Return whether this is the last row of its request."""
        return self.trajectory == self.request.numbers[-1]

    def key(self) -> tuple[int, int]:
        """Return the noise key of the next step."""
        return step_key(self.request.key, self.trajectory, len(self.tokens))

    def clear(self) -> None:
        """Take all steps back."""
        self.tokens.clear()
        self.log_probs.clear()

    def append(self, token: int, log_prob: float) -> None:
        """Take one step."""
        self.tokens.append(token)
        self.log_probs.append(log_prob)

    def finished(self, end_ids: frozenset[int]) -> bool:
        """Return whether the row has ended, or is as long as requested."""
        return self.tokens[-1] in end_ids or len(self.tokens) == self.request.max_tokens

    def continuation(self, end_ids: frozenset[int]) -> Continuation:
        """Return the sampled continuation."""
        return Continuation(
            token_ids=tuple(self.tokens),
            log_probs=np.array(self.log_probs),
            ended=self.tokens[-1] in end_ids,
        )


def batches(
    requests: Sequence[SampleRequest], max_rows: int, context_length: int, *, equal_length: bool
) -> Iterator[list[Row]]:
    """Cut all rows of all requests into batches, prefixes of like length together.

    Parameters
    ----------
    context_length
        A row that is done steps on beside the others, so the longest prefix with the most tokens
        requested of any must fit: beyond a table of positions a GPU ends the whole process.
    equal_length
        For networks whose recurrent state would read padding too.
    """
    batch: list[Row] = []
    most_tokens = 0
    order = sorted(range(len(requests)), key=lambda i: len(requests[i].prefix))
    for owner in order:
        request = requests[owner]
        for trajectory in request.numbers:
            mixed = batch and len(batch[0].request.prefix) != len(request.prefix)
            most_tokens = max(most_tokens, request.max_tokens)
            overlong = len(request.prefix) + most_tokens > context_length
            if batch and (len(batch) == max_rows or (mixed and (equal_length or overlong))):
                yield batch
                batch, most_tokens = [], request.max_tokens
            batch.append(Row(owner, trajectory, request))
    if batch:
        yield batch


@torch.inference_mode()
def sample_by_stepping(
    network: Network, rows: list[Row], law: Law, end_ids: frozenset[int]
) -> Iterator[None]:
    """Read each prefix once, copy the state after it to its rows, and step them together.

    Yields between two steps, so that something else may be done.
    """
    state, logits = _start(network, rows)
    while True:
        _take_step(network, state.rows, logits, law, end_ids)
        going = [i for i, row in enumerate(state.rows) if not row.finished(end_ids)]
        if not going:
            return
        # Rows that are done stay until a quarter is: dropping them copies the whole state.
        if len(going) <= 0.75 * len(state.rows):
            state.keep(network, going)
        yield
        logits = state.step(network)


@dataclass
class _State:
    """Rows under way, and the network's state after what they have read."""

    rows: list[Row]
    cache: DynamicCache
    mask: Tensor | None  # "row position", None where no prefix is padded
    positions: Tensor  # "row 1"

    def keep(self, network: Network, chosen: list[int]) -> None:
        """Drop all other rows."""
        index = torch.tensor(chosen, device=network.device)
        self.rows = [self.rows[i] for i in chosen]
        self.mask = None if self.mask is None else self.mask[index]
        self.positions = self.positions[index]
        network.select(self.cache, index)

    def step(self, network: Network) -> Tensor:
        """Read each row's last token; return the logits after it, shape "row token"."""
        last = torch.tensor([[row.tokens[-1]] for row in self.rows], device=network.device)
        if self.mask is not None:
            self.mask = torch.cat([self.mask, torch.ones_like(last)], dim=-1)
        self.positions = self.positions + 1
        return network.step(last, self.mask, self.positions, self.cache)


def _start(network: Network, rows: list[Row]) -> tuple[_State, Tensor]:
    prefixes = {row.owner: row.request.prefix for row in rows}
    place = {owner: i for i, owner in enumerate(prefixes)}
    ids, mask = left_padded(list(prefixes.values()), network.device)
    padding = None if mask.all() else mask
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    logits, cache = network.start(ids, padding, positions)

    copies = torch.tensor([place[row.owner] for row in rows], device=network.device)
    network.select(cache, copies)
    state = _State(
        rows=rows,
        cache=cache,
        mask=None if padding is None else mask[copies],
        positions=positions[copies, -1:],
    )
    return state, logits[copies]


def _take_step(
    network: Network, rows: list[Row], logits: Tensor, law: Law, end_ids: frozenset[int]
) -> None:
    # A race won by less than rounding is run again on the row alone, so that what else is
    # in the batch cannot decide it. Half precision is too coarse for that promise.
    close = network.rounding / min(law.temperature, 1.0) if network.exact else 0.0
    drawn = draw(logits, law, [row.key() for row in rows])
    for row, token, log_prob, lead in zip(rows, *drawn, strict=True):
        if row.tokens and row.finished(end_ids):
            continue
        if lead < close:
            row.append(*_step_alone(network, row, law))
        else:
            row.append(token, log_prob)


def _step_alone(network: Network, row: Row, law: Law) -> tuple[int, float]:
    """Return token and log-probability of a row's next step, read from its beginning."""
    ids = torch.tensor([[*row.request.prefix, *row.tokens]], device=network.device)
    (token,), (log_prob,), _ = draw(network.read(ids)[:, -1], law, [row.key()])
    return token, log_prob


@torch.inference_mode()
def sample_by_rereading(
    network: Network, rows: list[Row], law: Law, end_ids: frozenset[int]
) -> None:
    """Step rows whose prefixes have one length, reading everything again at each step."""
    alive = rows
    while alive:
        ids = [[*row.request.prefix, *row.tokens] for row in alive]
        logits = network.read(torch.tensor(ids, device=network.device))[:, -1]
        _take_step(network, alive, logits, law, end_ids)
        alive = [row for row in alive if not row.finished(end_ids)]


def longest(rows: Sequence[Row]) -> int:
    """Return the most tokens that one of the rows may come to have, prefix included."""
    return max(len(row.request.prefix) + row.request.max_tokens for row in rows)


def length(row: Row) -> int:
    """Return the number of tokens of a row so far, prefix included."""
    return len(row.request.prefix) + len(row.tokens)


def padding(rows: Sequence[Row]) -> int:
    """Return by how much the prefixes of rows differ in length."""
    lengths = [len(row.request.prefix) for row in rows]
    return max(lengths) - min(lengths)


def of_one_length(rows: Sequence[Row]) -> list[list[Row]]:
    """Return rows in groups whose prefixes have one length."""
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[len(row.request.prefix)].append(row)
    return list(groups.values())
