"""Shows on standard error how far a run of several methods is."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from eval.plan import Chunk, Plan
from similarity.cli.notes import note
from similarity.cli.progress import duration, status_bar
from similarity.models.base import OnProgress


class RunProgress:
    """How far a run is, how fast it goes and how long the rest will last.

    The methods differ by orders of magnitude, so the rest is estimated by each method's own speed,
    and by the mean of the others where it has none yet.
    """

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._show: Callable[[str, int, int], None] = lambda *_: None
        self._planned: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._scored: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._earlier_shown = False
        self._last = time.monotonic()
        self._doing = ""
        self._preparing = False

    def __enter__(self) -> Self:
        self._show = self._closing.enter_context(status_bar())
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def begin(self, plan: Plan) -> None:
        """Begin a run; `advance` then takes in what earlier processes did of it.

        The methods that those left out are none of the plan's.
        """
        pairs = sum(map(len, plan.tasks.values()))
        left = [name for name in plan.methods.names if name not in plan.methods.left_out]
        self._planned = Counter(dict.fromkeys(left, pairs))
        self._scored, self._before = Counter(), Counter()
        self._seconds.clear()
        self._earlier_shown, self._last = False, time.monotonic()

    def preparing(self, method: str) -> None:
        """Show that a method is being prepared."""
        self._doing, self._preparing = f"preparing {method}", True
        self._update()

    def left_out(self, method: str) -> None:
        """Take a method out of what is left to do."""
        del self._planned[method]

    def stage(self, stage: str, texts: int) -> OnProgress:
        """Follow a stage within a method; the `Progress` of its scorer."""
        doing, done = self._doing, 0

        def on_progress(finished: int) -> None:
            nonlocal done
            done += finished
            self._doing = f"{doing} ({stage}, {done}{f' of {texts}' if texts else ''} texts)"
            self._update()
            self._doing = doing

        return on_progress

    def scoring(self, chunk: Chunk) -> None:
        """Show that a chunk is begun."""
        self._doing, self._preparing = f"{chunk.task}, {chunk.method}", False
        self._last = time.monotonic()
        self._update()

    def advance(self, chunk: Chunk, earlier: bool) -> None:
        """Take in a chunk that is done, in this process or in an earlier one."""
        if earlier:
            self._before[chunk.method] += len(chunk.pairs)
            return
        if self._before and not self._earlier_shown:
            # Of how many, is not known: a method whose turn is to come may be left out.
            note(f"going on: {self._before.total()} scores are there")
        self._earlier_shown = True
        self._scored[chunk.method] += len(chunk.pairs)
        self._seconds[chunk.method] += time.monotonic() - self._last
        self._update()

    def _update(self) -> None:
        done = self._before.total() + self._scored.total()
        total = self._planned.total()
        speed = self._scored.total() / max(sum(self._seconds.values()), 1e-9)
        # How long a fit takes, the scores so far do not say.
        known = self._scored and not self._preparing
        rate = f", {speed:.3g} scores/s{self._left()}" if known else ""
        pairs, methods = max(self._planned.values(), default=0), len(self._planned)
        counted = f"scores ({pairs} pairs × {methods} method{'s' * (methods != 1)})"
        self._show(f"{self._doing}: {done} of {total} {counted}{rate}", done, total)

    def _left(self) -> str:
        """Return how long the rest will last, in words."""
        mean = sum(self._seconds.values()) / self._scored.total()
        seconds = sum(
            (planned - self._before[name] - self._scored[name])
            * (self._seconds[name] / self._scored[name] if self._scored[name] else mean)
            for name, planned in self._planned.items()
        )
        return f", {duration(seconds)} left"
