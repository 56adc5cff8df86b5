"""Samples many texts' trajectories together: each prefix is read once, then all rows step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from similarity.config import Law
from similarity.models.base import Continuation, SampleRequest
from similarity.models.network import Network
from similarity.models.torch_ops import law_log_probs, race
from similarity.noise import step_key


@dataclass
class Row:
    """One trajectory in the making: the `trajectory`-th of a request."""

    owner: int
    trajectory: int
    request: SampleRequest
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)

    def key(self) -> tuple[int, int]:
        """Return the noise key of the next step."""
        return step_key(self.request.key, self.trajectory, len(self.tokens))

    def append(self, token: int, log_prob: float) -> None:
        """Take one step."""
        self.tokens.append(token)
        self.log_probs.append(log_prob)

    def finished(self, end_ids: frozenset[int]) -> bool:
        """Whether it has ended, or is as long as was asked for."""
        return self.tokens[-1] in end_ids or len(self.tokens) == self.request.max_tokens

    def continuation(self, *, keep_log_probs: bool) -> Continuation:
        """Return what was sampled."""
        return Continuation(
            token_ids=tuple(self.tokens),
            log_probs=np.array(self.log_probs) if keep_log_probs else None,
        )


def batches(
    requests: Sequence[SampleRequest], max_rows: int, *, equal_length: bool
) -> Iterator[list[Row]]:
    """Cut all rows of all requests into batches, prefixes of like length together.

    `equal_length` is for networks whose recurrent state would read padding too.
    """
    batch: list[Row] = []
    order = sorted(range(len(requests)), key=lambda i: len(requests[i].prefix))
    for owner in order:
        request = requests[owner]
        for trajectory in range(request.n):
            mixed = batch and len(batch[0].request.prefix) != len(request.prefix)
            if len(batch) == max_rows or (mixed and equal_length):
                yield batch
                batch = []
            batch.append(Row(owner, trajectory, request))
    if batch:
        yield batch


@torch.inference_mode()
def sample_rows(network: Network, rows: list[Row], law: Law, end_ids: frozenset[int]) -> None:
    """Sample all rows to their end, in place."""
    if not network.caches:
        _sample_by_rereading(network, rows, law, end_ids)
        return
    owners = list(dict.fromkeys(row.owner for row in rows))
    prefixes = {row.owner: row.request.prefix for row in rows}
    ids, mask = _left_padded([prefixes[owner] for owner in owners], network.device)
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    padding = None if mask.all() else mask
    logits, cache = network.start(ids, padding, positions)

    place = {owner: i for i, owner in enumerate(owners)}
    chosen = _index([place[row.owner] for row in rows], network.device)
    logits, mask, positions = logits[chosen], mask[chosen], positions[chosen, -1:]
    network.select(cache, chosen)
    # Rows that are done stay in the batch until a quarter of it is done: dropping them
    # copies the whole state.
    alive = rows
    while True:
        _take_step(network, alive, logits, law, end_ids)
        going = [i for i, row in enumerate(alive) if not row.finished(end_ids)]
        if not going:
            return
        if len(going) <= 0.75 * len(alive):
            chosen = _index(going, network.device)
            alive = [alive[i] for i in going]
            mask, positions = mask[chosen], positions[chosen]
            network.select(cache, chosen)
        tokens = _index([row.tokens[-1] for row in alive], network.device)[:, None]
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=-1)
        positions = positions + 1
        logits = network.step(tokens, None if padding is None else mask, positions, cache)


def _take_step(
    network: Network, rows: list[Row], logits: Tensor, law: Law, end_ids: frozenset[int]
) -> None:
    log_probs = law_log_probs(logits, law)
    tokens, leads = race(log_probs, [row.key() for row in rows])
    chosen = log_probs.gather(-1, tokens[:, None])[:, 0].tolist()
    # A race won by less than rounding is run again on the row alone, so that who else is
    # in the batch cannot decide it. Half precision is too coarse for that promise.
    close = network.rounding / min(law.temperature, 1.0) if network.rounding <= 1e-4 else 0.0
    for row, token, lead, log_prob in zip(
        rows, tokens.tolist(), leads.tolist(), chosen, strict=True
    ):
        if row.tokens and row.finished(end_ids):
            continue
        if lead < close:
            row.append(*_step_alone(network, row, law))
        else:
            row.append(token, log_prob)


def _step_alone(network: Network, row: Row, law: Law) -> tuple[int, float]:
    """Return token and log-probability of a row's next step, read from its beginning."""
    ids = torch.tensor([[*row.request.prefix, *row.tokens]], device=network.device)
    log_probs = law_log_probs(network.read(ids)[:, -1], law)
    token, _ = race(log_probs, [row.key()])
    return int(token), float(log_probs[0, int(token)])


def _sample_by_rereading(
    network: Network, rows: list[Row], law: Law, end_ids: frozenset[int]
) -> None:
    """Step rows whose prefixes have one length, reading everything again at each step."""
    alive = rows
    while alive:
        ids = [[*row.request.prefix, *row.tokens] for row in alive]
        logits = network.read(torch.tensor(ids, device=network.device))[:, -1]
        _take_step(network, alive, logits, law, end_ids)
        alive = [row for row in alive if not row.finished(end_ids)]


def _left_padded(prefixes: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids and mask, shape "row position", the tokens at the right end."""
    width = max(map(len, prefixes))
    ids = [[0] * (width - len(prefix)) + list(prefix) for prefix in prefixes]
    mask = [[0] * (width - len(prefix)) + [1] * len(prefix) for prefix in prefixes]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _index(values: list[int], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)
