"""A model that gives states and nothing else, as servers and engines that pool do."""

from collections.abc import Sequence
from typing import NoReturn

from similarity.arrays import LogProbs
from similarity.errors import UnsupportedError
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    LanguageModel,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    ignore_progress,
)


class StatesOnly(LanguageModel):
    """A language model that neither samples nor scores continuations.

    Attributes
    ----------
    place
        Where the model is, for messages.
    cure
        What to change so that the model generates, for messages.
    """

    generates = False
    abilities = frozenset({Ability.NEXT_STATES})
    place: str
    cure: str

    def check_scoring(self, law: Law) -> None:
        """Raise UnsupportedError: nothing is scored."""
        self._refuse()

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Raise UnsupportedError: nothing is sampled."""
        self._refuse()

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Raise UnsupportedError: nothing is scored."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UnsupportedError(
            f"{self.info.name} is {self.place}, which neither samples nor scores continuations; "
            f"use preset fast, meaning or best, or {self.cure}"
        )
