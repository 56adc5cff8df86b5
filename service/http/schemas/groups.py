"""Requests and answers of /v1/cluster and /v1/dedupe, as they stand in openapi.yaml."""

from typing import Self

from pydantic import Field, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.fields import (
    Many,
    Number,
    NumberOrNone,
    PresetName,
    Strict,
    Text,
    example,
)
from service.http.schemas.similarity import Compared
from service.http.schemas.truncation import Truncate
from similarity.groups.clustering import (
    DUPLICATE_THRESHOLD,
    GROUP_THRESHOLD,
    LINKAGES,
    Linkage,
    Reason,
)
from similarity.scorers import ScoringRequest


class GroupingRequest(Strict):
    """Texts, and how they are compared."""

    texts: Many[Text] = Field(description="A text that repeats is read once.")
    preset: PresetName | None = Field(
        default=None,
        description="As in /v1/similarity; without it the service's own preset holds.",
    )
    truncate: Truncate = "refuse"

    def scoring(self) -> ScoringRequest:
        """Return what the request says about how to compare."""
        return ScoringRequest(preset=self.preset, truncate=self.truncate)


class ClusterRequest(GroupingRequest):
    """Texts to group."""

    model_config = example(texts=["Where is my parcel?", "My order is late.", "A refund, please."])

    threshold: NumberOrNone = Field(
        default=None,
        ge=0,
        le=1,
        description="Join groups while their similarity is at least this; without it and k, "
        f"{GROUP_THRESHOLD}.",
    )
    k: int | None = Field(default=None, ge=1, description="Join groups until there are so many.")
    linkage: Linkage = Field(
        default=LINKAGES[0],
        description="The similarity of two groups is the mean, the least or the greatest of those "
        "of their texts.",
    )

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        if self.threshold is not None and self.k is not None:
            raise ValueError("threshold and k exclude each other; give one of them")
        if self.k is not None and self.k > len(self.texts):
            raise FieldError(f"k must be at most {len(self.texts)}, the number of texts", "k")
        return self

    def least(self) -> float | None:
        """Return the threshold, if groups are joined by one."""
        return GROUP_THRESHOLD if self.threshold is None and self.k is None else self.threshold


class DedupeRequest(GroupingRequest):
    """Texts of which those are kept that say something else than the ones before."""

    model_config = example(texts=["Where is my parcel?", "Where is the parcel?"])

    threshold: Number = Field(
        default=DUPLICATE_THRESHOLD,
        ge=0,
        le=1,
        description="Take texts that are at least this similar for the same.",
    )


class ClusterFields(Strict):
    """Like texts."""

    members: list[int] = Field(description="Numbers of the texts from 0.")
    representative: int = Field(ge=0, description="The member most alike to the others.")


class DuplicateFields(Strict):
    """A text that is not kept."""

    number: int = Field(ge=0, description="Of the text, from 0.")
    similarity: float = Field(ge=0, le=1, description="To the one that is kept.")
    reason: Reason = Field(
        description="Why it is not kept: it differs in case, white space or the form of characters "
        "alone (wording), or it or a text of its wording is at least as similar as the threshold "
        "(similarity)."
    )


class KeptFields(Strict):
    """A text that is kept, and those that it stands for."""

    kept: int = Field(ge=0, description="The number of the text, from 0.")
    duplicates: list[DuplicateFields]


class ClusterResponse(Compared):
    """Groups of like texts."""

    groups: list[ClusterFields] = Field(description="The largest first.")
    silhouette: float | None = Field(description="The mean; null where there is one group only.")
    silhouettes: list[float] | None = Field(
        description="Of each text, from -1 to 1: how much nearer it is to its own group than to "
        "the next."
    )


class DedupeResponse(Compared):
    """The texts to keep, in order."""

    groups: list[KeptFields]
