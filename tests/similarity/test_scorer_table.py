"""The table of scorers: what a model can compare by, it does; all else is refused."""

import pytest

from similarity.config import ComparisonConfig, SamplingConfig
from similarity.errors import ConfigError, UnsupportedError
from similarity.estimators.table import ESTIMATORS
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from similarity.presets import PRESETS
from similarity.scorer import Scorer
from similarity.scorer_table import SCORERS, possible_scorers
from similarity.scorers import open_scorer
from tests.toy_models import SilentModel


def opened(model: LanguageModel, name: str) -> Scorer:
    if name in PRESETS:
        return open_scorer(model, name)
    sampling = SamplingConfig(n_trajectories=2, max_tokens=3)
    bank = ("the sea", "some words") if ESTIMATORS[name].needs_bank else ()
    config = ComparisonConfig(sampling=sampling, distance=name, bank=bank)
    return open_scorer(model, config=config)


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("kind", [ToyModel, SilentModel])
def test_a_scorer_compares_where_the_table_says_so(kind: type[ToyModel], name: str) -> None:
    model = kind()
    if name in possible_scorers(model):
        assert opened(model, name).score([("a red car", "a red car")])[0].distance == 0
    else:
        with pytest.raises((ConfigError, UnsupportedError)):
            opened(model, name)


def test_what_models_can_compare_by() -> None:
    assert possible_scorers(load_model("embedded")) == possible_scorers(ToyModel()) == list(SCORERS)
    silent = possible_scorers(SilentModel())
    assert {"l1", "cosine", "trajectories"} <= set(silent)
    assert not {"fast", "meaning", "best", "step-kl"} & set(silent)
