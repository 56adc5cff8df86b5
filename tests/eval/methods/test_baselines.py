from collections.abc import Callable

import pytest

from eval.methods.base import Setting
from eval.methods.baselines import BASELINES
from similarity.errors import ConfigError, MissingDependencyError, UnsupportedError
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel

UNLABELLED = [f"{who} {does}" for who in "abcdef" for does in "uvwxyz"]


def made(setting: Setting) -> set[str]:
    """Return the names of the baselines that can be made, the optional library aside."""
    names = set()
    for name in BASELINES.keys() - {"sentence-transformers"}:
        try:
            method = BASELINES[name](setting)
        except (ConfigError, UnsupportedError, MissingDependencyError):
            continue
        assert len(method.score([("a cat", "a dog"), ("b", "b")])) == 2
        assert method.settings
        names.add(name)
    return names


def test_what_each_model_and_setting_can_give(
    toy_model: ToyModel, tiny: Callable[[str], LocalModel]
) -> None:
    likelihoods = {"word overlap", "conditional likelihood", "joint likelihood"}
    states = {"last token", "mean token", "prompteol"}
    fitted = {"last token, whitened", "mean token, whitened"}
    network = tiny("llama")
    assert made(Setting(model=toy_model)) == likelihoods
    assert made(Setting(model=toy_model, unlabelled=UNLABELLED)) == likelihoods | {"tf-idf"}
    assert made(Setting(model=network)) == likelihoods | states
    everything = made(Setting(model=network, unlabelled=UNLABELLED))
    assert everything == likelihoods | states | fitted | {"tf-idf"}
    assert everything == BASELINES.keys() - {"sentence-transformers"}


@pytest.mark.parametrize("name", sorted(BASELINES.keys() - {"sentence-transformers"}))
def test_the_same_input_gives_the_same_method(name: str, tiny: Callable[[str], LocalModel]) -> None:
    setting = Setting(model=tiny("llama"), unlabelled=UNLABELLED)
    first, second = (BASELINES[name](setting) for _ in range(2))
    assert first.settings == second.settings
    assert first.score([("a cat", "a dog")]) == second.score([("a cat", "a dog")])
