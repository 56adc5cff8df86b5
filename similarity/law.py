"""The law that a next token is drawn from, or scored under."""

from dataclasses import dataclass

from similarity.fields import keep_settings, setting


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

    temperature: float = setting(1.0, "Divide the logits by this.", at_least=0.01, at_most=100.0)
    top_k: int = setting(
        0, "Keep the k most probable tokens; 0 keeps all.", at_least=0, at_most=2**31 - 1
    )
    top_p: float = setting(
        1.0,
        "Keep the most probable tokens up to this mass; 1 keeps all.",
        at_least=1e-6,
        at_most=1.0,
    )

    def __post_init__(self) -> None:
        keep_settings(self)

    @property
    def truncated(self) -> bool:
        """Return whether some tokens may have probability zero."""
        return self.top_k > 0 or self.top_p < 1.0
