"""A network's state with room to grow, so that a step does not copy all earlier positions."""

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# Positions that there is room for beyond those read: as many as most trajectories are long.
ROOM = 32


class _Growing:
    """A tensor of shape "… position feature" that is written behind its end."""

    def __init__(self) -> None:
        self._buffer: Tensor | None = None
        self._whole: Tensor | None = None

    def append(self, past: Tensor | None, new: Tensor) -> Tensor:
        """Return past and new positions as one; `past` is copied unless it came from here."""
        start = past.shape[-2] if past is not None and past.numel() else 0
        end = start + new.shape[-2]
        buffer = self._buffer
        if buffer is None or past is not self._whole or end > buffer.shape[-2]:
            buffer = new.new_empty((*new.shape[:-2], end + ROOM, new.shape[-1]))
            if past is not None and start:
                buffer[..., :start, :] = past
        buffer[..., start:end, :] = new
        self._buffer, self._whole = buffer, buffer[..., :end, :]
        return self._whole


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values of one attention layer; transformers' own copies them at every step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._keys, self._values = _Growing(), _Growing()

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append keys and values, shape "row head position feature"; return all so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._keys.append(self.keys, key_states)
        self.values = self._values.append(self.values, value_states)
        return self.keys, self.values


def new_cache(config: Any) -> DynamicCache:
    """Return an empty state for a network; layers that keep all they read have room to grow."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache
