"""Compares the fast ways of reading a network with plain readings, while they are used.

At loading a few tokens are tried. A window, a chunk or a table of positions shows only beyond its
length, under whatever name a configuration has for it. So whenever a text is longer than all
before, or padded more, it is read again plainly. What differs is given up.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from similarity.errors import ModelError, TextTooLongError, TrajsimError, WrongAnswerError
from similarity.lacking import is_out_of_memory
from similarity.law import Law
from similarity.models import packing, sampling
from similarity.models.base import LOG_ZERO
from similarity.models.context import longest_readable
from similarity.models.failures import words_of
from similarity.models.network import Network
from similarity.models.packing import Pack
from similarity.models.reach import Reach, hardest
from similarity.models.sampling import Row

logger = logging.getLogger(__name__)

Number = TypeVar("Number", np.float32, np.float64)
# Owner, number and log-probabilities of a continuation, and what gives them for a batch of packs.
Scored = tuple[int, int, NDArray[Number]]
Way = Callable[[Network, Sequence[Pack], Law], Iterable[Scored[Number]]]


@dataclass
class Verified:
    """A network whose fast ways of reading are checked up to the lengths that are used.

    Parameters
    ----------
    network
        It gives up the ways that turn out wrong.
    shorten
        Called with the number of tokens that the network can read, once a text is longer.
    texts
        The network as it reads texts alone, on which lengths are tried; None if it is the same.
    failure
        Makes the error of what cannot be read though texts as long can, of its words.
    """

    network: Network
    shorten: Callable[[int], None]
    texts: Network | None = None
    failure: Callable[[str], TrajsimError] = ModelError
    _packed: Reach = field(default_factory=Reach)
    _padded: Reach = field(default_factory=Reach)
    _stepped: Reach = field(default_factory=Reach)
    _readable: int = 0
    _reread: int = 0

    def read(self, batch: Sequence[Pack], law: Law, way: Way[Number]) -> Iterator[Scored[Number]]:
        """Yield the results of reading packs in this way, equal to those of plain readings.

        Raises
        ------
        TextTooLongError
            If the network cannot read so much.
        WrongAnswerError
            If a log-probability is not a number.
        """
        if len(batch) == 1 and batch[0].plain:
            yield self._plainly(batch[0], law, way)
            return
        try:
            found = list(way(self.network, batch, law))
        except Exception as error:  # each architecture refuses in a way of its own
            halved = is_out_of_memory(error)
            how = "half at a time" if halved else "in a simpler way"
            logger.info("%d packs are read %s: %s", len(batch), how, error)
        else:
            halved = False
            if self._right(batch, found, law, way):
                yield from found
                return
        if not halved:
            self._give_up_on(batch)
        for part in packing.halves(batch) if halved else packing.simpler(batch):
            yield from self.read(part, law, way)

    def batches(self, packs: Sequence[Pack], max_tokens: int) -> Iterator[list[Pack]]:
        """Group packs as `packing.batches` does, or not at all where padding moves numbers."""
        for batch in packing.batches(packs, max_tokens):
            if batch[0].plain and not self.network.pads:
                yield from ([pack] for pack in batch)
            else:
                yield batch

    def sample(
        self,
        rows: list[Row],
        law: Law,
        end_ids: frozenset[int],
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        """Sample all rows to their end, in place, as plain readings do.

        `on_step` is called between two steps; what it raises ends the sampling.

        Raises
        ------
        TextTooLongError, WrongAnswerError
            As `read`.
        """
        if not self.network.caches or sampling.longest(rows) > self.network.step_window:
            self._sample_by_rereading(rows, law, end_ids)
            return
        for some in self._step(rows, law, end_ids, on_step):
            for row in some:
                row.clear()
            self.sample(some, law, end_ids, on_step)

    @contextmanager
    def reading(self, length: int) -> Iterator[None]:
        """Translate an error of a network in a plain reading of so many tokens.

        Raises
        ------
        TextTooLongError
            If it can read fewer.
        TrajsimError
            If it cannot read that for another reason: what `failure` makes, or ModelError if it
            can read nothing.
        """
        try:
            yield
        except TrajsimError:
            raise
        except Exception as error:  # as above
            if is_out_of_memory(error):
                raise
            limit = longest_readable(self.texts or self.network, length)
            said = f"the network cannot be read: {words_of(error)}"
            if limit == length:
                raise self.failure(said) from error
            # Where more could be read before, or nothing can be, it is not the length.
            if limit < max(1, self._readable):
                raise ModelError(said) from error
            self.shorten(limit)
            raise TextTooLongError(
                f"a text has {length} tokens with its continuation, and the network can read "
                f"{limit}; shorten it"
            ) from error
        self._readable = max(self._readable, length)

    def _plainly(self, pack: Pack, law: Law, way: Way[Number]) -> Scored[Number]:
        with self.reading(len(pack.ids)):
            (scored,) = way(self.network, [pack], law)
        if not np.isfinite(scored[2]).all():
            raise _not_finite()
        return scored

    def _right(
        self, batch: Sequence[Pack], found: Sequence[Scored[Number]], law: Law, way: Way[Number]
    ) -> bool:
        """Return whether the numbers of the longest and the most padded packs are right."""
        if not all(np.isfinite(log_probs).all() for _, _, log_probs in found):
            return False
        reach = Reach.of(batch)
        seen = self._seen(batch)
        if seen.covers(reach):
            return True
        of_target = {(owner, number): log_probs for owner, number, log_probs in found}
        for pack, target in hardest(batch):
            owner, number, log_probs = self._plainly(packing.alone(pack, target), law, way)
            if not self._close(of_target[owner, number], log_probs):
                return False
        if batch[0].plain:
            self._padded = seen.union(reach)
        else:
            self._packed = seen.union(reach)
        return True

    def _seen(self, batch: Sequence[Pack]) -> Reach:
        return self._padded if batch[0].plain else self._packed

    def _give_up_on(self, batch: Sequence[Pack]) -> None:
        if batch[0].plain:
            self.network.pads = False
        else:
            self.network.give_up_packing(min(self._packed.row, self._packed.sequence))

    def _step(
        self, rows: list[Row], law: Law, end_ids: frozenset[int], on_step: Callable[[], None]
    ) -> list[list[Row]]:
        """Sample by stepping; return the groups of rows to sample again, if that went wrong."""
        steps = sampling.sample_by_stepping(self.network, rows, law, end_ids)
        while True:
            try:
                next(steps)
            except StopIteration:
                break
            except Exception as error:  # as above
                if is_out_of_memory(error):
                    return _halves(rows, error)
                logger.info("%d trajectories are read again at each step: %s", len(rows), error)
                return self._give_up_stepping(rows, law, end_ids)
            on_step()
        if self._stepped_right(rows, law):
            return []
        return self._give_up_stepping(rows, law, end_ids)

    def _stepped_right(self, rows: list[Row], law: Law) -> bool:
        """Return whether stepping gave what plain readings give."""
        if not all(np.isfinite(row.log_probs).all() for row in rows):
            return False
        reach = Reach(0, max(map(sampling.length, rows)), sampling.padding(rows))
        if self._stepped.covers(reach):
            return True
        for row in (
            max(rows, key=sampling.length),
            min(rows, key=lambda row: len(row.request.prefix)),
        ):
            pack = _of_row(row)
            _, _, log_probs = self._plainly(pack, law, packing.score_packs)
            if not self._close(np.array(row.log_probs), log_probs):
                return False
        self._stepped = self._stepped.union(reach)
        return True

    def _give_up_stepping(
        self, rows: list[Row], law: Law, end_ids: frozenset[int]
    ) -> list[list[Row]]:
        """Lower the length up to which stepping is used; return the groups of rows to redo."""
        if sampling.padding(rows):
            self.network.pads_state = False
        elif sampling.longest(rows) <= self._stepped.sequence:
            # Rows as long were right, so it is not their length: these alone are read again.
            for row in rows:
                row.clear()
            self._sample_by_rereading(rows, law, end_ids)
            return []
        else:
            self.network.give_up_stepping(self._stepped.sequence)
        return list(sampling.of_one_length(rows))

    def _sample_by_rereading(self, rows: list[Row], law: Law, end_ids: frozenset[int]) -> None:
        for some in sampling.of_one_length(rows):
            with self.reading(
                max(len(row.request.prefix) + row.request.max_tokens for row in some)
            ):
                sampling.sample_by_rereading(self.network, some, law, end_ids)
            if not all(np.isfinite(row.log_probs).all() for row in some):
                raise _not_finite()
            self._check_reread(max(some, key=sampling.length), law)

    def _check_reread(self, row: Row, law: Law) -> None:
        """Check that a trajectory is as likely read at once as it was token by token."""
        if sampling.length(row) <= self._reread:
            return
        _, _, log_probs = self._plainly(_of_row(row), law, packing.score_packs)
        if not self._close(np.array(row.log_probs), log_probs):
            raise WrongAnswerError(
                f"the network is not causal: in a text of {sampling.length(row)} tokens later ones "
                "move earlier ones; give shorter texts, or a causal language model"
            )
        self._reread = sampling.length(row)

    def _close(self, found: NDArray[Any], plain: NDArray[Any]) -> bool:
        """Return whether log-probabilities differ by rounding alone, each and on average."""
        both = (found != LOG_ZERO) & (plain != LOG_ZERO)
        gaps = np.abs(found - plain)[both]
        rounding = self.network.rounding
        return not gaps.size or bool(gaps.max() <= 3 * rounding and gaps.mean() <= rounding / 3)


def _not_finite() -> WrongAnswerError:
    return WrongAnswerError(
        "the network's log-probabilities are not finite numbers; give another dtype"
    )


def _halves(rows: list[Row], error: Exception) -> list[list[Row]]:
    if len(rows) == 1:
        raise error
    logger.info("%d trajectories are sampled half at a time: %s", len(rows), error)
    return [rows[: len(rows) // 2], rows[len(rows) // 2 :]]


def _of_row(row: Row) -> Pack:
    return packing.plain_pack(0, 0, row.request.prefix, tuple(row.tokens))
