"""Requests and answers of /v1/consensus, as they stand in openapi.yaml."""

from pydantic import Field

from service.http.schemas.fields import Many, Strict, Text, Warnings, example
from service.http.schemas.truncation import Truncate
from service.http.schemas.usage import Answer


class ConsensusRequest(Strict):
    """Answers to one question."""

    model_config = example(
        question="What is the capital of France?", texts=["Paris.", "It is Paris.", "Lyon."]
    )

    texts: Many[Text] = Field(description="A text that repeats costs once.")
    question: Text | None = Field(default=None, description="Put before each text.")
    log_probs: Many[float] | None = Field(
        default=None,
        description="log P of each text in nats, at most 0, to weigh them by. Without it they "
        "count alike.",
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="What degrees of entailment both ways must reach for one meaning, and nothing "
        "else counts. Without it, one that is calibrated on general sentences, which the words of "
        "the texts move where there is a question.",
    )
    truncate: Truncate = "refuse"


class AgreedGroupFields(Strict):
    """Texts of one meaning."""

    members: list[int] = Field(description="Numbers of the texts from 0.")
    representative: int = Field(ge=0, description="The member that the others agree with most.")
    probability: float = Field(ge=0, le=1, description="Of the group.")


class ConsensusResponse(Answer):
    """What texts agree on."""

    warnings: Warnings = None
    answer: str = Field(description="What stands for the most probable group.")
    entropy: float = Field(ge=0, description="Semantic entropy over groups, nats.")
    groups: list[AgreedGroupFields] = Field(description="The most probable first.")
    threshold: float = Field(description="What degrees both ways had to reach for one meaning.")
