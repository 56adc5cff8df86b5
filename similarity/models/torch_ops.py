"""The library's noise and next-token laws on torch tensors, equal to their NumPy definitions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from similarity.law import Law
from similarity.models.base import LOG_ZERO
from similarity.models.fused import weights_and_rates
from similarity.noise import MIX_MULTIPLIERS, MIX_SHIFTS

# Logits that are worked on at once: few enough to stay in a core's cache, or to fit a GPU.
_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 26}

# The bits of 1.0 in single precision.
_ONE = 0x3F800000


def law_log_probs(logits: Tensor, law: Law) -> Tensor:
    """Return log-probabilities under the law, float32, shape "row token" in nats."""
    scaled = _scaled(logits, law)
    if law.top_k and law.top_k < scaled.shape[-1]:
        kth = scaled.topk(law.top_k, dim=-1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < kth, -torch.inf)
    if law.top_p < 1.0:
        scaled = scaled.masked_fill(_outside_nucleus(scaled, law.top_p), -torch.inf)
    return scaled.log_softmax(-1).clamp_min(LOG_ZERO)


def token_log_probs(logits: Tensor, tokens: Tensor, law: Law) -> Tensor:
    """Return the log-probability, shape "row" in nats, of one token for each row of logits."""
    rows = _rows_at_once(logits)
    parts = zip(torch.split(logits, rows), torch.split(tokens[:, None], rows), strict=True)
    return torch.cat([_token_log_probs(part, some, law) for part, some in parts])


def draw(
    logits: Tensor, law: Law, keys: Sequence[tuple[int, int]]
) -> tuple[list[int], list[float], list[float]]:
    """Draw one token for each row of logits, shape "row token", with each row's own key.

    Returns
    -------
    tuple
        For each row the token, its log-probability in nats, and by how many nats it won
        the race: a lead within rounding could have gone the other way.
    """
    if law.truncated:
        logits, law = law_log_probs(logits, law), Law()
    rows = _rows_at_once(logits)
    parts = [
        _race(_scaled(part, law), keys[start : start + rows])
        for start, part in zip(range(0, len(keys), rows), torch.split(logits, rows), strict=True)
    ]
    tokens, log_probs, leads = (torch.cat(some).tolist() for some in zip(*parts, strict=True))
    return tokens, log_probs, leads


def _race(scores: Tensor, keys: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a token for each row, shape "row token", by the exponential race.

    The largest weight over waiting time is the smallest waiting time over probability. One
    exponential of each score makes both the weights and the sum that log-probabilities need.
    """
    top = scores.amax(-1, keepdim=True)
    low, high = _halves(keys, scores.device)
    found = weights_and_rates(scores, top, low, high)
    if found is None:
        weights = (scores - top).exp_()
        totals = weights.sum(-1, keepdim=True)
        rates = weights.div_(_exponential(low, high, scores))
    else:
        weights, rates = found
        totals = weights.sum(-1, keepdim=True)
    token = _argmax(rates)[:, None]
    best = rates.gather(-1, token)
    second = rates.scatter_(-1, token, 0.0).amax(-1, keepdim=True)
    log_probs = scores.gather(-1, token) - top - totals.log()
    return token[:, 0], log_probs[:, 0], (best.log() - second.log())[:, 0]


def _argmax(values: Tensor) -> Tensor:
    """Return the place of each row's largest value; on a CPU torch's own is ten times slower."""
    if values.device.type == "cpu":
        return torch.from_numpy(values.numpy().argmax(-1))
    return values.argmax(-1)


def _halves(keys: Sequence[tuple[int, int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the lower and the upper halves of keys, each int32 of shape "row 1"."""
    halves = np.array(keys, dtype=np.uint32).view(np.int32)
    low, high = torch.from_numpy(halves).to(device).unsqueeze(1).unbind(-1)
    return low, high


def _exponential(low: Tensor, high: Tensor, like: Tensor) -> Tensor:
    """Return unit exponentials of the shape "row token" of `like`, each row's of its own key."""
    tokens = torch.arange(like.shape[-1], dtype=torch.int32, device=like.device)
    bits = _mix32_(_mix32_(tokens + low).bitwise_xor_(high))
    # 23 bits under the exponent of one are a number from 1 to 2: less one, and half a step more.
    above_one = _shift_right(bits, 9).bitwise_or_(_ONE).view(torch.float32)
    return above_one.sub_(1 - 2.0**-24).log_().neg_()


def _token_log_probs(logits: Tensor, tokens: Tensor, law: Law) -> Tensor:
    if law.truncated:
        return law_log_probs(logits, law).gather(-1, tokens)[:, 0]
    scaled = _scaled(logits, law)
    return scaled.gather(-1, tokens)[:, 0] - scaled.logsumexp(-1)


def _scaled(logits: Tensor, law: Law) -> Tensor:
    """Return logits over temperature in float32; the logits themselves where that is all one."""
    return logits.float() if law.temperature == 1 else logits.float() / law.temperature


def _rows_at_once(logits: Tensor) -> int:
    return max(1, _ELEMENTS.get(logits.device.type, 1 << 18) // logits.shape[-1])


def _mix32_(bits: Tensor) -> Tensor:
    """Apply the 32-bit finaliser in place; int32 products wrap as uint32 ones do."""
    first, second, third = MIX_SHIFTS
    bits.bitwise_xor_(_shift_right(bits, first)).mul_(_as_int32(MIX_MULTIPLIERS[0]))
    bits.bitwise_xor_(_shift_right(bits, second)).mul_(_as_int32(MIX_MULTIPLIERS[1]))
    return bits.bitwise_xor_(_shift_right(bits, third))


def _shift_right(bits: Tensor, count: int) -> Tensor:
    """Shift int32 as if unsigned: torch's own shift copies the sign bit."""
    return (bits >> count).bitwise_and_((1 << (32 - count)) - 1)


def _as_int32(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


def _outside_nucleus(scaled: Tensor, top_p: float) -> Tensor:
    ranked, order = scaled.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(-1) - ranked
    return torch.zeros_like(scaled, dtype=torch.bool).scatter_(-1, order, before >= top_p)
