from typing import Any

import pytest

from similarity.config import ComparisonConfig, SamplingConfig
from similarity.errors import ConfigError
from similarity.law import Law
from similarity.prompts import PROMPTS, Prompt


def test_defaults_are_the_papers() -> None:
    config = ComparisonConfig()
    assert config.sampling.n_trajectories == config.sampling.max_tokens == 20
    assert config.sampling.law == Law(temperature=1.0, top_k=0, top_p=1.0)
    assert config.prompt == Prompt(full_stop=True)
    assert config.distance == "l1"
    assert config == ComparisonConfig.build()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_trajectories": 0}, "n_trajectories must be between 1 and 10000, got 0"),
        ({"n_trajectories": 2.5}, "n_trajectories must be a whole number, got 2.5"),
        ({"n_trajectories": True}, "n_trajectories must be a whole number, got True"),
        ({"max_tokens": -1}, "max_tokens must be between 1 and 4096, got -1"),
        ({"seed": -1}, "seed must be between 0 and"),
        ({"temperature": 0.0}, "temperature must be between 0.01 and 100, got 0"),
        ({"temperature": float("nan")}, "temperature must be a finite number, got nan"),
        ({"top_k": -1}, "top_k must be between 0 and"),
        ({"top_p": 0.0}, "top_p must be between 1e-06 and 1, got 0"),
        ({"top_p": 1.5}, "top_p must be between 1e-06 and 1, got 1.5"),
        ({"distance": "l3"}, "unknown distance 'l3'; allowed: l1, l2"),
        ({"prompt": "poem"}, "unknown prompt 'poem'; allowed: none, meaning, implies"),
        ({"score_law": "both"}, "unknown score_law 'both'; allowed: sampling, model"),
    ],
)
def test_bad_settings_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ComparisonConfig.build(**setting)


def test_scoring_law_is_the_sampling_law_unless_asked() -> None:
    assert ComparisonConfig.build(top_k=5).scoring_law == Law(top_k=5)
    assert ComparisonConfig.build(top_k=5, score_law="model").scoring_law == Law()


def test_build_keeps_prompts() -> None:
    assert ComparisonConfig.build(prompt="implies").prompt == PROMPTS["implies"]
    assert not ComparisonConfig.build(full_stop=False).prompt.full_stop
    own = Prompt(before="Q: ")
    assert ComparisonConfig.build(prompt=own).prompt is own


def test_settings_are_values() -> None:
    assert SamplingConfig() == SamplingConfig()
    assert len({ComparisonConfig(), ComparisonConfig()}) == 1
    with pytest.raises(AttributeError):
        ComparisonConfig().distance = "l2"  # type: ignore[misc]
