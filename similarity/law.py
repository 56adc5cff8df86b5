"""The law that a next token is drawn from, or scored under."""

from dataclasses import dataclass

from similarity.validation import check_integer, check_number


@dataclass(frozen=True, kw_only=True)
class Law:
    """The distribution that a next token is drawn from, or scored under.

    Parameters
    ----------
    temperature
        Divides the logits; 1 is the model itself.
    top_k
        Keep the k most probable tokens; 0 keeps all.
    top_p
        Keep the smallest set of most probable tokens with at least this mass; 1 keeps all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature, at_least=0.01, at_most=100.0)
        check_integer("top_k", self.top_k, at_least=0, at_most=2**31 - 1)
        check_number("top_p", self.top_p, at_least=1e-6, at_most=1.0)

    @property
    def truncated(self) -> bool:
        """Whether some tokens may have probability zero."""
        return self.top_k > 0 or self.top_p < 1.0
