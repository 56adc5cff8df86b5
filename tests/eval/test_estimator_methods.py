from dataclasses import replace

import pytest

from eval.methods.base import Setting
from eval.methods.scorers import BANK_TEXTS, ESTIMATOR_METHODS
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, UnsupportedError
from similarity.estimators.table import ESTIMATORS
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from tests.toy_models import SilentModel

SMALL = ComparisonConfig.build(n_trajectories=2, max_tokens=4)
PAIRS = [("a red car", "the sea"), ("the sea", "the sea")]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_more_alike_the_higher(toy_model: ToyModel, name: str) -> None:
    unlabelled = [f"some text {i}" for i in range(20)]
    method = ESTIMATOR_METHODS[name](Setting(model=toy_model, config=SMALL, unlabelled=unlabelled))
    apart, same = method.score(PAIRS)
    assert apart < same == 0
    assert method.settings["distance"] == name
    bank = tuple(method.settings.get("bank", ()))
    assert len(bank) in {0, 1, BANK_TEXTS}
    expected = TrajectoryScorer(toy_model, replace(SMALL, distance=name, bank=bank)).score(PAIRS)
    assert [-e.distance for e in expected] == [apart, same]


def test_what_cannot_be_made_is_refused(toy_model: ToyModel) -> None:
    with pytest.raises(UnsupportedError):
        ESTIMATOR_METHODS["step-kl"](Setting(model=SilentModel(), config=SMALL))
    with pytest.raises(ConfigError, match="unlabelled"):
        ESTIMATOR_METHODS["whitened-cosine"](Setting(model=toy_model, config=SMALL))
    assert ESTIMATOR_METHODS["l1"](Setting(model=SilentModel(), config=SMALL)).score(PAIRS)[1] == 0
