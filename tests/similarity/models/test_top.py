"""The most probable next tokens: of whole distributions, from a server, from vLLM's engine."""

from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest

from similarity.errors import BackendRefusedError, ConfigError, WrongAnswerError
from similarity.law import Law
from similarity.models import base
from similarity.models.base import LanguageModel, ScoreRequest
from similarity.models.local import LocalModel
from similarity.models.top import TopTokens, listed_tokens, most_probable
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.config import ServerConfig
from tests.similarity.models.fake_server import Answer, FakeServer, Load, scoring


def by_sorting(row: np.ndarray, k: int) -> list[int]:
    """Return the k most probable tokens in the obvious way."""
    return sorted(sorted(range(len(row)), key=lambda token: (-row[token], token))[:k])


def check(found: list[list[TopTokens]], truth: list[list[np.ndarray]], k: int) -> None:
    for mine, expected in zip(found, truth, strict=True):
        for top, rows in zip(mine, expected, strict=True):
            assert top.ids.tolist() == [by_sorting(row, k) for row in rows]
            np.testing.assert_array_equal(
                top.log_probs, np.take_along_axis(rows, top.ids, axis=1), strict=True
            )


@pytest.mark.parametrize("k", [1, 2, 7, 40, 1000])
@pytest.mark.parametrize("levels", [3, 10**6])
def test_against_sorting(k: int, levels: int) -> None:
    # With three levels nearly all are equal, and the lower ids are taken.
    rows = -np.random.default_rng(0).integers(1, levels, (50, 40)).astype(np.float32)
    check([[most_probable(rows, k)]], [[rows]], k)


def test_without_an_order_nothing_is_chosen() -> None:
    with pytest.raises(WrongAnswerError, match="not finite"):
        most_probable(np.full((1, 3), np.nan, np.float32), 2)
    with pytest.raises(WrongAnswerError, match="not finite"):
        listed_tokens([{1: -1.0, 2: -np.inf}], 2)


def test_a_token_that_is_listed_as_it_stands_there_is_left_out() -> None:
    top = listed_tokens([{9: -1.0, 4: -0.5, 7: -2.0}, {4: -3.0, 7: -1.0}], 2)
    assert top.ids.tolist() == [[4, 9], [4, 7]]
    np.testing.assert_array_equal(top.log_probs, [[-0.5, -1.0], [-3.0, -1.0]])
    # As probable as the last of the list, it is of the list if its id is lower.
    assert listed_tokens([{3: -1.0, 4: -0.5, 5: -1.0}], 2).ids.tolist() == [[3, 4]]
    for wrong in (1, 4):
        with pytest.raises(WrongAnswerError, match=f"listed 3 tokens of a place, and {wrong}"):
            listed_tokens([{1: -1.0, 2: -1.0, 3: -1.0}], wrong)


def test_a_model_in_this_process(
    tiny: Callable[[str], LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        ScoreRequest(prefix=(5, 6, 7), continuations=((8, 9, 10, 11), (12,), (8, 9))),
        ScoreRequest(prefix=(20,), continuations=((8, 9), (30, 31))),
    ]
    models: list[LanguageModel] = [tiny("llama"), ToyModel()]
    for model in models:
        check(model.top_distributions(requests, Law(), 5), model.distributions(requests, Law()), 5)
        # Less held at once is the same, but for the rounding of another batch.
        monkeypatch.setattr(base, "HELD_NUMBERS", 1)
        alone = model.top_distributions(requests, Law(), 5)
        monkeypatch.undo()
        together = model.top_distributions(requests, Law(), 5)
        for one, two in zip(chain(*alone), chain(*together), strict=True):
            np.testing.assert_array_equal(one.ids, two.ids)
            np.testing.assert_allclose(one.log_probs, two.log_probs, atol=1e-4)


def test_a_server_lists_what_the_model_gives(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    found = model.top_distributions(scoring(), Law(), 6)
    check(found, ToyModel().distributions(scoring(), Law()), 6)
    assert {body["prompt_logprobs"] for body in server.bodies} == {6}
    # Some of what stands in the prompts is of the six, and some is not.
    rows = chain(*(top.ids.tolist() for top in chain(*found)))
    given = chain(*(ids for request in scoring() for ids in request.continuations))
    assert {token in row for token, row in zip(given, rows, strict=True)} == {True, False}


def test_an_answer_that_lists_more_carries_fewer_prompts(load: Load) -> None:
    server = FakeServer()
    model = load(ServerConfig(patience=0.5), server=server)
    requests = [
        ScoreRequest(prefix=tuple(range(60, 120)), continuations=((65, n),)) for n in range(120)
    ]
    for k, expected in ((0, 1), (20, 3)):
        server.bodies.clear()
        model.top_distributions(requests, Law(), k) if k else model.score(requests, Law())
        assert len(server.bodies) == expected


def test_more_than_a_server_lists(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    with pytest.raises(BackendRefusedError, match=r"--max-logprobs, or ask for fewer") as e:
        model.top_distributions(scoring(), Law(), 21)
    assert "max allowed: 20" in str(e.value)
    server.max_logprobs = 21
    assert model.top_distributions(scoring(), Law(), 21)
    for name, law in (("temperature", Law(temperature=2.0)), ("top_p", Law(top_p=0.5))):
        with pytest.raises(ConfigError, match="score_law model") as caught:
            model.top_distributions(scoring(), law, 3)
        assert caught.value.setting == name


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda place: place.popitem(), "listed 2 tokens of a place, and 3"),
        (lambda place: place.update({"a": {"logprob": -1.0}}), "another shape"),
        (lambda place: place.update({"7": {}}), "another shape"),
        (lambda place: place.update({"7": {"logprob": 2.0}}), "--logprobs-mode"),
        (lambda place: place.clear(), "left out"),
    ],
)
def test_lists_that_cannot_be_right(
    load: Load, change: Callable[[Answer], object], match: str
) -> None:
    server = FakeServer()
    model = load(server=server)

    def edit(_body: Answer, answer: Answer) -> None:
        change(answer["choices"][1]["prompt_logprobs"][-1])

    server.edit = edit
    request = ScoreRequest(prefix=(65, 65, 66, 67), continuations=((65,),))
    with pytest.raises(WrongAnswerError, match=match):
        model.top_distributions([request], Law(), 3)


def test_another_model_behind_the_address(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.model = ToyModel(prior=0.5)
    with pytest.raises(WrongAnswerError, match="another model than before"):
        model.top_distributions(scoring(), Law(), 3)
