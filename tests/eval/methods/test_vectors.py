from collections.abc import Callable

import pytest

from eval.methods.base import Setting
from eval.methods.scorers import VECTOR_METHODS, domain_vectors
from similarity.errors import ConfigError, UnsupportedError
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.vectors import VectorConfig, fit
from tests.similarity.vectors.conftest import cosines, sentences

CONFIG = VectorConfig(n_references=2, reference_tokens=2, projection=4, rank=8)
PAIRS = [("the red car", "the old car"), ("a bird sings", "the sea")]


@pytest.mark.parametrize("groups", [(), ("states",), ("distributions",)])
def test_scores_are_the_librarys(
    tiny: Callable[[str], LocalModel], groups: tuple[str, ...]
) -> None:
    model, texts = tiny("llama"), sentences(50)
    method = domain_vectors(CONFIG, *groups)(Setting(model=model, unlabelled=texts))
    chosen = CONFIG.only(*groups) if groups else CONFIG
    expected = cosines(fit(model, list(dict.fromkeys(texts)), chosen), PAIRS) - 1
    assert method.score(PAIRS) == pytest.approx(expected.tolist(), abs=1e-5)
    assert method.settings["distance"] == "vector-cosine"
    assert method.settings["vectors"]["corpus"]["texts"] == len(set(texts))


def test_a_score_does_not_depend_on_the_other_pairs(tiny: Callable[[str], LocalModel]) -> None:
    method = domain_vectors(CONFIG)(Setting(model=tiny("llama"), unlabelled=sentences(50)))
    alone = [method.score([pair])[0] for pair in PAIRS]
    assert method.score(PAIRS) == pytest.approx(alone, abs=1e-4)


def test_there_is_none_without_text_or_for_another_model(toy_model: ToyModel) -> None:
    with pytest.raises(ConfigError, match="unlabelled"):
        VECTOR_METHODS["vectors of the domain"](Setting(model=toy_model))
    with pytest.raises(UnsupportedError, match="ship"):
        VECTOR_METHODS["vectors"](Setting(model=toy_model))
