"""Every result can be sent to another process, with all its values."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import pytest

import similarity
from similarity.doctor import diagnose
from similarity.entailment.hyponymy import contain
from similarity.entailment.opening import open_entailment
from similarity.errors import UnsupportedError
from similarity.groups.clustering import cluster, deduplicate
from similarity.groups.consensus import find_consensus
from similarity.meaning import profile_meanings, trajectory_meanings
from similarity.models.base import LanguageModel
from similarity.uncertainty import Tolerance
from similarity.vectors.general import find_vectors
from similarity.vectors.index import Hit

PAIR = ("a red car", "the sea")
TEXTS = [*PAIR, "a car of mine"]
PAPER = similarity.ComparisonConfig.build(n_trajectories=3, max_tokens=2)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """Return a network, which itself can be sent nowhere."""
    return similarity.load_model("embedded")


def entails(model: LanguageModel) -> Any:
    (found,) = open_entailment(model).judge([PAIR])
    return found


RESULTS: dict[str, Callable[[LanguageModel], Any]] = {
    "score": lambda model: similarity.compare(model, *PAIR, preset="fast"),
    "comparison": lambda model: similarity.compare(model, *PAIR, PAPER),
    "to a tolerance": lambda model: similarity.compare_to_tolerance(
        model, *PAIR, Tolerance(half_width=0.1, max_trajectories=6), PAPER
    ),
    "matrix": lambda model: similarity.compare_matrix(model, TEXTS, preset="fast"),
    "matrix of trajectories": lambda model: similarity.compare_matrix(model, TEXTS, config=PAPER),
    "explanation": lambda model: similarity.open_scorer(model, "best").explain([PAIR]),
    "explanation by trajectories": lambda model: similarity.open_scorer(
        model, config=PAPER
    ).explain([PAIR]),
    "entailment": entails,
    "entailment by trajectories": lambda model: open_entailment(model, "paper", config=PAPER).judge(
        [PAIR]
    ),
    "containment": lambda model: contain(
        model, ("dog", "animal"), ["I saw a dog."], open_entailment(model)
    ),
    "consensus": lambda model: find_consensus(open_entailment(model), TEXTS),
    "clusters": lambda _: cluster(np.eye(3), k=2),
    "duplicates": lambda _: deduplicate(np.eye(3), 0.5),
    "meanings": lambda model: trajectory_meanings(model, TEXTS, PAPER),
    "meanings of profiles": lambda model: profile_meanings(
        find_vectors(None, model).open("profile"), TEXTS
    ),
    "findings": lambda _: diagnose("toy"),
    "hits": lambda _: [Hit(0, "a", 0.5)],
}


def values(of: Any) -> Any:
    """Return all public values of a result, its properties included."""
    if isinstance(of, np.ndarray):
        return of.tolist()
    if isinstance(of, list | tuple):
        return [values(one) for one in of]
    if not is_dataclass(of):
        return repr(of)
    names = {name for name in dir(of) if not name.startswith("_")}
    return {name: values(getattr(of, name)) for name in names if not callable(getattr(of, name))}


@pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS.keys())
def test_a_result_has_all_its_values_in_another_process(
    make: Callable[[LanguageModel], Any], model: LanguageModel
) -> None:
    found = make(model)
    sent = pickle.loads(pickle.dumps(found))
    assert values(sent) == values(found)
    assert values(pickle.loads(pickle.dumps(sent))) == values(found)
    assert values(copy.copy(found)) == values(found)


@pytest.mark.longer
def test_the_words_of_a_judgement_need_the_model(model: LanguageModel) -> None:
    found = entails(model)
    sent = pickle.loads(pickle.dumps(found))
    assert sent.to_dict() == found.to_dict()
    for call in (lambda: sent.explain(3), lambda: sent.to_dict(3)):
        with pytest.raises(UnsupportedError, match=r"call explain\(top\) before it is pickled"):
            call()
    words = found.explain(3)
    assert pickle.loads(pickle.dumps(words)) == words
    assert found.to_dict(3)["words"] == asdict(words)
