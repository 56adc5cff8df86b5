import pytest

from eval.methods.base import Setting
from eval.methods.scorers import VECTOR_METHODS
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel
from similarity.scorers import open_scorer
from similarity.vectors import fit
from similarity.vectors.recipes import config_for
from tests.similarity.vectors.conftest import cosines, sentences
from tests.toy_models import SilentModel

PAIRS = [("the red car", "the old car"), ("a bird sings", "the sea")]


@pytest.mark.parametrize("preset", ["fast", "meaning", "best"])
def test_scores_are_the_librarys(toy_model: ToyModel, preset: str) -> None:
    method = VECTOR_METHODS[preset](Setting(model=toy_model))
    expected = open_scorer(toy_model, preset).score(PAIRS)
    assert method.score(PAIRS) == [-score.distance for score in expected]
    assert method.settings == expected[0].fingerprint.config.to_dict()


def test_vectors_of_the_domain_are_fitted_to_its_texts(toy_model: ToyModel) -> None:
    model, texts = toy_model, sentences(50)
    method = VECTOR_METHODS["best, of the domain"](Setting(model=model, unlabelled=texts))
    fitted = fit(model, list(dict.fromkeys(texts)), config_for(model))
    assert method.score(PAIRS) == pytest.approx((cosines(fitted, PAIRS) - 1).tolist(), abs=1e-5)
    assert method.settings["distance"] == "vector-cosine"
    assert method.settings["vectors"]["corpus"]["texts"] == len(set(texts))
    groups = {"fast": ["profile"], "meaning": ["profile", "examples"]}
    for preset, names in groups.items():
        chosen = VECTOR_METHODS[f"{preset}, of the domain"](Setting(model=model, unlabelled=texts))
        assert [group["name"] for group in chosen.settings["vectors"]["groups"]] == names


def test_there_is_none_without_text_or_for_another_model(toy_model: ToyModel) -> None:
    with pytest.raises(ConfigError, match="unlabelled"):
        VECTOR_METHODS["best, of the domain"](Setting(model=toy_model))
    with pytest.raises(ConfigError, match="have trajectories only"):
        VECTOR_METHODS["best"](Setting(model=SilentModel()))
