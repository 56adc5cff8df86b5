"""Requests and answers of /v1/consensus, as they stand in openapi.yaml."""

from typing import Self

from pydantic import Field, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.fields import Many, Number, NumberOrNone, Strict, Text, example
from service.http.schemas.truncation import Truncate
from service.http.schemas.usage import Answer
from similarity.errors import InputError
from similarity.groups.given import checked_log_probs


class ConsensusRequest(Strict):
    """Answers to one question."""

    model_config = example(
        question="What is the capital of France?", texts=["Paris.", "It is Paris.", "Lyon."]
    )

    texts: Many[Text] = Field(description="A text that repeats costs once.")
    question: Text | None = Field(default=None, description="Put before each text.")
    log_probs: Many[Number] | None = Field(
        default=None,
        description="log P of each text in nats, at most 0, to weigh them by. A text that repeats "
        "counts once then, by the mean of its values. Without it all count alike.",
    )
    threshold: NumberOrNone = Field(
        default=None,
        ge=0,
        le=1,
        description="What degrees of entailment both ways must reach for one meaning, and nothing "
        "else counts. Without it, one that is calibrated on general sentences, which the words of "
        "the texts move where there is a question.",
    )
    truncate: Truncate = "refuse"

    @model_validator(mode="after")
    def _check_log_probs(self) -> Self:
        if self.log_probs is not None:
            try:
                checked_log_probs(self.log_probs, len(self.texts))
            except InputError as error:
                raise FieldError(str(error), "log_probs") from error
        return self


class AgreedGroupFields(Strict):
    """Texts of one meaning."""

    members: list[int] = Field(description="Numbers of the texts from 0.")
    representative: int = Field(ge=0, description="The member that the others agree with most.")
    probability: float = Field(ge=0, le=1, description="Of the group.")


class ConsensusResponse(Answer):
    """What texts agree on."""

    answer: str = Field(description="What stands for the most probable group.")
    entropy: float = Field(ge=0, description="Semantic entropy over groups, nats.")
    groups: list[AgreedGroupFields] = Field(description="The most probable first.")
    threshold: float = Field(description="What degrees both ways had to reach for one meaning.")
