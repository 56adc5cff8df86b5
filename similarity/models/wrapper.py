"""A model that forwards all calls to another one: the base of caches and proxies."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from similarity.models.base import Ability, LanguageModel, ModelInfo

Method = TypeVar("Method", bound=Callable[..., Any])


def _from_wrapped(name: str) -> Any:
    """Return a property that reads an attribute of the wrapped model at each use."""
    return property(lambda model: getattr(model.wrapped, name))


def _forwarded(method: Method) -> Method:
    """Return a method that calls the wrapped model's method of the same name."""

    # Without its attributes, of which one says that it is abstract.
    @wraps(method, updated=())
    def forward(model: "WrapperModel", *args: Any, **kwargs: Any) -> Any:
        return getattr(model.wrapped, method.__name__)(*args, **kwargs)

    return cast(Method, forward)


class WrapperModel(LanguageModel):
    """Forwards every member to the wrapped model; a subclass overrides what it does itself.

    Attributes
    ----------
    wrapped
        The model behind this one. Its attributes are read at each use, as those of a server may
        still change.
    """

    def __init__(self, wrapped: LanguageModel) -> None:
        self.wrapped = wrapped

    info: ModelInfo = _from_wrapped("info")
    end_ids: frozenset[int] = _from_wrapped("end_ids")
    vocab_size: int | None = _from_wrapped("vocab_size")
    assets: Path | None = _from_wrapped("assets")
    generates: bool = _from_wrapped("generates")
    on_processor: bool = _from_wrapped("on_processor")
    zero_is_progress: bool = _from_wrapped("zero_is_progress")
    lacks: str = _from_wrapped("lacks")
    remedy: str = _from_wrapped("remedy")
    abilities: frozenset[Ability] = _from_wrapped("abilities")
    findings: Sequence[tuple[str, str]] = _from_wrapped("findings")

    close = _forwarded(LanguageModel.close)
    encode = _forwarded(LanguageModel.encode)
    encode_all = _forwarded(LanguageModel.encode_all)
    encode_image = _forwarded(LanguageModel.encode_image)
    encode_continuation = _forwarded(LanguageModel.encode_continuation)
    decode = _forwarded(LanguageModel.decode)
    check_scoring = _forwarded(LanguageModel.check_scoring)
    check_alive = _forwarded(LanguageModel.check_alive)
    changes = _forwarded(LanguageModel.changes)
    answered_at = _forwarded(LanguageModel.answered_at)
    sample = _forwarded(LanguageModel.sample)
    score = _forwarded(LanguageModel.score)
    tokens_read = _forwarded(LanguageModel.tokens_read)
    distributions = _forwarded(LanguageModel.distributions)
    top_distributions = _forwarded(LanguageModel.top_distributions)
    hidden_states = _forwarded(LanguageModel.hidden_states)
    next_states = _forwarded(LanguageModel.next_states)
    output_head = _forwarded(LanguageModel.output_head)
    next_log_probs = _forwarded(LanguageModel.next_log_probs)
