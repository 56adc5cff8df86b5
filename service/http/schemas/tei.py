"""Text-embeddings-inference's requests and answers."""

from typing import Any

from pydantic import ConfigDict, Field

from service.http.schemas.fields import Lenient, Text


class SentencesInput(Lenient):
    """A sentence and those to compare it with."""

    source_sentence: Text
    sentences: list[Text] = Field(min_length=1)


class SentenceSimilarityRequest(Lenient):
    """Text-embeddings-inference's request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inputs": {
                        "source_sentence": "What is Deep Learning?",
                        "sentences": ["What is Machine Learning?"],
                    }
                }
            ]
        }
    )

    inputs: SentencesInput
    parameters: dict[str, Any] | None = Field(
        default=None,
        description="Taken and left alone; a text that is too long is refused, not cut.",
    )

    def text_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs to compare, in order."""
        return [(self.inputs.source_sentence, other) for other in self.inputs.sentences]
