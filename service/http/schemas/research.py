"""Requests and answers of /v1/trajectories and /v1/likelihoods."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.fields import Many, Strict, Text, TokenIdList, example
from service.http.schemas.sampling import SamplingSettings, ScoringSettings
from service.http.schemas.truncation import Truncate
from service.http.schemas.usage import Answer
from similarity.prompts import checked_continuation

# A model may continue a text by white space alone, so that is no mistake here.
Continuation = Annotated[
    str,
    AfterValidator(checked_continuation),
    Field(json_schema_extra={"minLength": 1, "pattern": r"^[^\x00]+$"}),
]


class TrajectoriesRequest(SamplingSettings):
    """Texts to continue."""

    model_config = example(texts=["A man is playing a guitar."], n_trajectories=3)

    texts: Many[Text]
    truncate: Truncate = "refuse"


class TrajectoryItem(Strict):
    """A sampled continuation."""

    text: str
    token_ids: list[int] = Field(description="Of the model's own tokens.")
    log_likelihood: float = Field(description="After its own text: mean nats per token.")
    ended: bool = Field(description="Ended by the model, rather than by max_tokens.")


class TrajectoriesResponse(Answer):
    """The continuations of each text, in order."""

    trajectories: list[list[TrajectoryItem]] = Field(description='Shape "text trajectory".')


class LikelihoodsRequest(ScoringSettings):
    """Texts, and continuations to score after each of them; nothing is sampled."""

    model_config = example(texts=["It rains."], continuations=[" Take an umbrella.", [32, 65]])

    texts: Many[Text]
    continuations: Many[Continuation | TokenIdList] = Field(
        description="As text, which is put right behind each text (begin it with a space), or "
        "as token ids of the model.",
    )
    truncate: Truncate = "refuse"

    @model_validator(mode="after")
    def _check_law(self) -> Self:
        of_sampling = [
            name for name in ("temperature", "top_k", "top_p") if name in self.model_fields_set
        ]
        if of_sampling and self.score_law == "model":
            raise FieldError(
                f"{of_sampling[0]} is of the law sampled from, and score_law is model; leave one "
                "of the two out",
                of_sampling[0],
            )
        return self


class LikelihoodsResponse(Answer):
    """The log-likelihood matrix."""

    log_likelihoods: list[list[float]] = Field(
        description='Shape "text continuation": mean nats per token.'
    )
