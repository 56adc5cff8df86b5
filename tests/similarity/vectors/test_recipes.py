"""What a model's vectors are made of where its context is short."""

from copy import copy
from dataclasses import replace

import pytest

from service.engine.lacks import lacks_of
from service.http.app import served_vectors
from service.settings import Settings
from similarity import compare
from similarity.doctor import _scorers
from similarity.errors import ConfigError
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.presets import possible_presets
from similarity.vectors.fitting import fit
from similarity.vectors.general import find_vectors, open_vectors
from similarity.vectors.recipes import recipe_of

TEXTS = [f"Text number {i}." for i in range(20)]


def of_context(tokens: int) -> LanguageModel:
    """Return the embedded model as one that takes so many tokens, without what ships with it."""
    model = copy(load_model("embedded"))
    model.info = replace(model.info, name=f"short{tokens}", context_length=tokens)
    model.assets = None
    return model


def test_where_no_group_fits_there_are_no_vectors(caplog: pytest.LogCaptureFixture) -> None:
    """They were trigrams alone, without a word."""
    model = of_context(40)
    for _ in range(2):
        found = find_vectors(None, model)
    assert found.names == ()
    assert possible_presets(found.names) == ["paper"]
    assert caplog.text.count("short40 goes without all meaning vectors: the model takes 40") == 1
    for use in (
        lambda: open_vectors(None, model),
        lambda: open_vectors(None, model, preset="best"),
        lambda: compare(model, "A dog runs.", "A puppy runs.", preset="best"),
        lambda: fit(model, TEXTS),
    ):
        with pytest.raises(ConfigError, match=r"takes 40 tokens, .*--max-model-len \d+"):
            use()
    assert "not trajectories, fast, meaning, best (the model takes 40" in _scorers(model).found


def test_a_group_that_does_not_fit_is_named(caplog: pytest.LogCaptureFixture) -> None:
    model = of_context(200)
    found = find_vectors(None, model)
    assert found.names == ("profile", "trigrams", "trajectories")
    assert "examples needs 288; use a longer context" in found.lacks
    assert "short200 goes without some groups of features" in caplog.text
    assert recipe_of(of_context(288)).short == ""


def test_the_service_starts_without_vectors_and_says_why() -> None:
    model = of_context(40)
    settings = Settings()
    assert served_vectors(settings, model) is None
    assert "the model takes 40 tokens" in lacks_of(settings, model)
    with pytest.raises(ConfigError, match="the model takes 40 tokens"):
        served_vectors(Settings(preset="best"), model)
