"""The model behind the service: one call at a time, off the event loop."""

from collections.abc import Sequence

import anyio

from similarity.config import ComparisonConfig
from similarity.models.base import LanguageModel
from similarity.pipeline import compare_pairs
from similarity.results import Comparison


class Engine:
    """Runs comparisons in a worker thread, one after the other."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        # The network is not made for two threads, which would share its cores anyhow.
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def compare(
        self, pairs: Sequence[tuple[str, str]], config: ComparisonConfig
    ) -> list[Comparison]:
        """Return the comparison of each pair, in order."""
        return await anyio.to_thread.run_sync(
            compare_pairs, self.model, pairs, config, limiter=self._one_at_a_time
        )
