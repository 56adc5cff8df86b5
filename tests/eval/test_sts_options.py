import pytest

from eval.methods.base import Setting
from eval.sts_options import FITTED_TO_TEXTS, METHODS
from similarity.errors import TrajsimError
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model


@pytest.fixture(scope="module")
def embedded() -> LanguageModel:
    return load_model("embedded")


@pytest.mark.longer
@pytest.mark.parametrize("name", METHODS)
def test_the_methods_that_are_fitted_to_texts_are_those_that_want_some(
    name: str, embedded: LanguageModel
) -> None:
    said = ""
    try:
        METHODS[name](Setting(model=embedded))
    except TrajsimError as error:
        said = str(error)
    assert ("unlabelled" in said) == (name in FITTED_TO_TEXTS)
