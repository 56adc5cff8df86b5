"""Every member of the seam goes through a wrapper, those that are added later too."""

import inspect
from typing import Any
from unittest.mock import sentinel

import pytest

from similarity.models.base import LanguageModel
from similarity.models.wrapper import WrapperModel

METHODS = sorted(
    name
    for name, member in vars(LanguageModel).items()
    if inspect.isfunction(member) and not name.startswith("_")
)
ATTRIBUTES = sorted(
    name
    for name in LanguageModel.__annotations__.keys() | vars(LanguageModel).keys() - set(METHODS)
    if not name.startswith("_")
)


class Recorder:
    """Answers any call of one method, and remembers with what."""

    def __init__(self, name: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        setattr(self, name, self._called)

    def _called(self, *arguments: Any) -> Any:
        self.calls.append(arguments)
        return sentinel.answer


def wrapping(model: Any) -> WrapperModel:
    return WrapperModel(model)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_forwarded(name: str) -> None:
    recorder = Recorder(name)
    parameters = list(inspect.signature(getattr(LanguageModel, name)).parameters)[1:]
    given = [getattr(sentinel, parameter) for parameter in parameters]
    assert getattr(wrapping(recorder), name)(*given) is sentinel.answer
    assert recorder.calls == [tuple(given)]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_is_the_wrapped_models_at_each_use(name: str) -> None:
    class Holder:
        pass

    holder: Any = Holder()
    model = wrapping(holder)
    for value in (sentinel.first, sentinel.later):
        setattr(holder, name, value)
        assert getattr(model, name) is value


def test_all_members_are_walked() -> None:
    assert {"sample", "score", "encode", "decode", "close", "output_head"} <= set(METHODS)
    assert ATTRIBUTES == [
        "abilities",
        "assets",
        "end_ids",
        "findings",
        "generates",
        "info",
        "lacks",
        "on_processor",
        "remedy",
        "vocab_size",
        "zero_is_progress",
    ]
