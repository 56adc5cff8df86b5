"""Counter-based random numbers: a hash of (run seed, text, trajectory, step, token).

There is no stream and no state, so a text's trajectories cannot depend on what else is sampled
beside it. This is the definition, in NumPy; `models.torch_ops` has it on a device.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_MASK64 = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
# Multipliers and shifts of the 32-bit finaliser, shared with the torch twin.
MIX_SHIFTS = (16, 15, 16)
MIX_MULTIPLIERS = (0x7FEB352D, 0x846CA68B)


def text_key(seed: int, text: str) -> int:
    """Return the 64-bit key of one text's noise in the run with this seed."""
    digest = hashlib.blake2b(f"{seed}\0{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def generator_seed(key: int) -> int:
    """Return the seed that a text's noise key gives to another's stateful generator.

    It leaves room for a seed + i for each trajectory i in a signed 64-bit integer. All its low
    bits are the key's, because some generators take only the lower 32.
    """
    return key % (2**63 - 2**14)


def step_key(key: int, trajectory: int, step: int) -> tuple[int, int]:
    """Return the two 32-bit halves of the key of one sampling step of one trajectory."""
    mixed = _splitmix64(_splitmix64(key + trajectory) + step)
    return mixed & 0xFFFFFFFF, mixed >> 32


def exponential(keys: tuple[int, int], size: int) -> NDArray[np.float32]:
    """Return `size` independent unit exponentials, shape "token", one for each token id.

    The token with the smallest exponential over probability is a draw from the
    probabilities (the exponential race, which is the Gumbel trick without its double log).
    """
    low, high = (np.uint32(half) for half in keys)
    bits = _mix32(_mix32(np.arange(size, dtype=np.uint32) + low) ^ high)
    # 23 bits and a half: every value is exact in float32 and strictly inside (0, 1).
    uniform = ((bits >> np.uint32(9)).astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-23)
    waits: NDArray[np.float32] = -np.log(uniform)
    return waits


def _splitmix64(counter: int) -> int:
    mixed = (counter * _GOLDEN + _GOLDEN) & _MASK64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK64
    return mixed ^ (mixed >> 31)


def _mix32(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    first, second, third = (np.uint32(shift) for shift in MIX_SHIFTS)
    bits = (bits ^ (bits >> first)) * np.uint32(MIX_MULTIPLIERS[0])
    bits = (bits ^ (bits >> second)) * np.uint32(MIX_MULTIPLIERS[1])
    return bits ^ (bits >> third)
