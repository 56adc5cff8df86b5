"""What the service sends is in what both clients give back, of every call and preset."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from service.client import (
    About,
    ApiError,
    ContinuationShare,
    ExplainedContinuation,
    ImpliedWord,
    ImpliedWords,
    Interval,
    Matrix,
    Ranked,
    Results,
    Score,
    Trajectory,
    TrajectoryExplanation,
    UnexpectedAnswerError,
    VectorExplanation,
    WordShare,
    calls,
)
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel
from similarity.presets import PRESETS
from similarity.prompts import PROMPTS
from similarity.vectors import ProfileConfig, TrigramsConfig, VectorConfig, fit, save
from similarity.vectors.config import TrajectoriesConfig
from tests.conftest import ROOT
from tests.service.servers import running
from tests.similarity.vectors.conftest import sentences

# Every group that a preset compares by.
ALL_GROUPS = VectorConfig(
    groups=(
        ProfileConfig(tokens=64),
        ProfileConfig(name="examples", prompt=PROMPTS["examples"], tokens=64),
        TrigramsConfig(width=128),
        TrajectoriesConfig(references=6, first_tokens=4),
    )
)
SCHEMAS = yaml.safe_load((ROOT / "openapi.yaml").read_text())["components"]["schemas"]
FIRST, SECOND, THIRD = "A dog runs.", "A puppy is running.", "It море rains."
SMALL = {"n_trajectories": 3, "max_tokens": 5}


@pytest.fixture(scope="module")
def url(toy_model: ToyModel, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("vectors")
    save(fit(toy_model, sentences(60), ALL_GROUPS), folder)
    # Without a cache each answer took as much.
    with running(ToyModel(), vectors=str(folder), cache_megabytes=0) as address:
        yield address


def plain(value: object) -> object:
    """Return all that is in a value of the client as JSON has it."""
    if is_dataclass(value):
        found = {one.name: getattr(value, one.name) for one in fields(value)}
        method = {"method": value.method} if hasattr(value, "method") else {}
        return {name: plain(one) for name, one in found.items() if one is not None} | method
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def about_of(about: About) -> dict[str, object]:
    """Return what is said of a whole answer as JSON has it, without what only a header has."""
    assert about.request_id
    said = plain(about)
    return {name: one for name, one in said.items() if one != [] and name != "request_id"}


def of_scores(scores: Results[Score]) -> dict[str, object]:
    """Return an answer with scores as JSON has it."""
    results = []
    for score in scores:
        result = plain(score)
        scale, warnings = result.pop("scale"), result.pop("warnings")
        assert warnings == list(scores.about.warnings)
        results.append(result)
    return {**about_of(scores.about), "scale": scale, "results": results}


def of_matrix(matrix: Matrix) -> dict[str, object]:
    """Return an answer with a matrix as JSON has it."""
    content = plain(matrix)
    del content["about"]
    assert content.pop("warnings") == list(matrix.about.warnings)
    return {**about_of(matrix.about), **content}


def answered(url: str, path: str, body: Mapping[str, object]) -> dict[str, object]:
    """Return the service's own answer."""
    answer = httpx.post(url + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


BESIDE = {
    "nothing": ({}, {}),
    "some parts": ({"explain": 3}, {"explain": True, "top": 3}),
    "as many parts as usual": ({"explain": True}, {"explain": True}),
}
WITH_INTERVAL = {
    "an interval": ({"interval": 0.9}, {"interval": 0.9}),
    "both": ({"interval": 0.9, "explain": 2}, {"interval": 0.9, "explain": True, "top": 2}),
}
ASKED = [
    pytest.param(preset, *beside, id=f"{preset}, {name}")
    for preset in PRESETS
    for name, beside in (BESIDE | (WITH_INTERVAL if preset == "paper" else {})).items()
]


@pytest.mark.longer
@pytest.mark.parametrize(("preset", "given", "sent"), ASKED)
def test_all_that_is_said_of_scores_is_in_the_result(ask, url, preset, given, sent):
    """Explanations by vectors were dropped, and so were all of a matrix."""
    settings = {"preset": preset, **(SMALL if preset == "paper" else {})}
    for method, args, body, read in (
        ("similarity", ([(FIRST, SECOND), (FIRST, THIRD)],), ("pairs",), of_scores),
        ("one_to_many", (FIRST, [SECOND, THIRD]), ("source", "targets"), of_scores),
        ("matrix", ([FIRST, SECOND],), ("rows",), of_matrix),
        ("matrix", ([FIRST, SECOND], [THIRD]), ("rows", "columns"), of_matrix),
    ):
        texts = dict(zip(body, args, strict=True))
        expected = answered(url, "/v1/similarity", {**texts, **settings, **sent})
        found = ask(method, *args, url=url, **settings, **given)
        assert read(found) == expected
    assert ("explain" in given) == ("explanations" in expected)


def test_every_preset_is_explained_by_what_it_compares(ask, url):
    for preset in PRESETS:
        (score,) = ask("similarity", [(FIRST, SECOND)], url=url, preset=preset, explain=3)
        explanation = score.explanation
        if preset == "paper":
            assert isinstance(explanation, TrajectoryExplanation)
            assert score.continuations == explanation.continuations != ()
            continue
        assert isinstance(explanation, VectorExplanation)
        assert tuple(explanation.shares) == PRESETS[preset].groups
        assert (explanation.implied is None) == (preset == "trajectories")
        assert len(explanation.overlap) == (3 if preset == "best" else 0)
        assert len(score.continuations) == (3 if preset == "trajectories" else 0)


def test_all_that_is_said_of_other_calls_is_in_the_result(ask, url):
    long = "a dog " * 700
    cut = {"truncate": "end"}
    texts = [FIRST, long]
    sampled = ask("trajectories", texts, url=url, **SMALL, **cut)
    expected = answered(url, "/v1/trajectories", {"texts": texts, **SMALL, **cut})
    assert {**about_of(sampled.about), "trajectories": plain(sampled)} == expected
    (warning,) = sampled.about.warnings
    assert "a dog" in warning

    known = ask("likelihoods", texts, [" b"], url=url, **cut)
    expected = answered(url, "/v1/likelihoods", {"texts": texts, "continuations": [" b"], **cut})
    assert {**about_of(known.about), "log_likelihoods": known} == expected
    assert len(known.about.warnings) == 1

    ranked = ask("rerank", FIRST, [THIRD, long], url=url)
    expected = answered(url, "/v2/rerank", {"query": FIRST, "documents": [THIRD, long]})
    # What Cohere's clients have for the request's id, the version and the price.
    del expected["id"]
    meta = expected.pop("meta")
    assert {**about_of(ranked.about), "results": plain(ranked)} == {
        **expected,
        "warnings": meta["warnings"],
    }


def names(kind: type) -> set[str]:
    """Return the fields of a value of the client."""
    method = {"method"} if hasattr(kind, "method") else set()
    return {one.name for one in fields(kind)} | method


@pytest.mark.parametrize(
    ("schema", "has"),
    [
        ("PairResult", names(Score) - {"scale", "warnings"}),
        ("SimilarityResponse", names(About) - {"request_id"} | {"scale", "results"}),
        ("MatrixResponse", (names(About) | names(Matrix)) - {"request_id", "about"}),
        ("IntervalFields", names(Interval)),
        ("TrajectoryExplanationFields", names(TrajectoryExplanation)),
        ("ExplainedContinuation", names(ExplainedContinuation)),
        ("VectorExplanationFields", names(VectorExplanation)),
        ("ImpliedWordsFields", names(ImpliedWords)),
        ("ImpliedWordFields", names(ImpliedWord)),
        ("OverlapWord", names(WordShare)),
        ("ReferenceContinuation", names(ContinuationShare)),
        ("TrajectoryItem", names(Trajectory)),
        ("RerankItem", names(Ranked) | {"document"}),
    ],
)
def test_a_field_of_an_answer_is_one_of_the_client(schema, has):
    assert SCHEMAS[schema]["properties"].keys() == has


VECTORS = {
    "method": "vectors",
    "cosine": 0.5,
    "shares": {"profile": 0.5},
    "weights": {"profile": 1.0},
    "overlap": [],
    "continuations": [],
}
WORD = {"word": "a", "share": 0.1, "beyond_usual": [1.0, 2.0]}


def scripted(explanation: object) -> httpx.MockTransport:
    """Return a service that answers a pair with this explanation."""
    result = {"similarity": 0.5, "distance": 0.5, "explanation": explanation}
    answer = {"model": "toy", "usage": {}, "scale": "none", "results": [result]}
    return httpx.MockTransport(lambda _: httpx.Response(200, json=answer))


def test_an_explanation_says_why_it_has_no_words(ask):
    transport = scripted({**VECTORS, "note": "the server gives its states and no words"})
    (score,) = ask("similarity", [("a", "b")], explain=3, transport=transport)
    assert score.explanation.note == "the server gives its states and no words"
    assert score.explanation.implied is None


@pytest.mark.parametrize(
    "explanation",
    [
        "words",
        {},
        {"method": "guessing"},
        {"method": "trajectories"},
        {**VECTORS, "cosine": "high"},
        {**VECTORS, "shares": [0.5]},
        {**VECTORS, "shares": {"profile": None}},
        {**VECTORS, "implied": {"both": [WORD]}},
        {
            **VECTORS,
            "implied": {"both": [{**WORD, "beyond_usual": [1]}], "first": [], "second": []},
        },
        {**VECTORS, "overlap": None},
        {**VECTORS, "overlap": [{"word": "a", "share": 0.1, "counts": [1, 2, 3]}]},
        {**VECTORS, "continuations": [{"text": "a", "counts": [1, 0]}]},
    ],
    ids=repr,
)
def test_what_is_no_explanation_is_said_to_be_none(ask, explanation):
    with pytest.raises(UnexpectedAnswerError):
        ask("similarity", [("a", "b")], explain=3, transport=scripted(explanation))


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("similarity", ([("a", "b")],)),
        ("one_to_many", ("a", ["b"])),
        ("matrix", (["a"],)),
    ],
)
def test_a_number_of_parts_that_is_none_is_named_as_it_was_given(ask, method, args):
    """The message was of `top`, or wanted true or false."""
    for wrong, said in (
        (51, "between 0 and 50, got 51"),
        (-1, "between 0 and 50, got -1"),
        ("5", "a whole number, got '5'"),
        (2.5, "a whole number, got 2.5"),
        (None, "a whole number, got None"),
    ):
        with pytest.raises(ConfigError, match=f"^explain must be {said}$"):
            ask(method, *args, explain=wrong, transport=scripted(VECTORS))


def test_the_client_knows_how_many_parts_there_may_be():
    for schema in ("PairsRequest", "OneToManyRequest", "MatrixRequest"):
        assert SCHEMAS[schema]["properties"]["top"]["maximum"] == calls.MAX_PARTS


ONE, SEVERAL = [(FIRST, SECOND)], [FIRST, SECOND]
WITHIN = {
    ("similarity", "results", 0, "similarity"): (0, 1),
    ("similarity", "results", 0, "distance"): (0, None),
    ("similarity", "results", 0, "interval", "similarity", 0): (0, 1),
    ("similarity", "results", 0, "interval", "similarity", 1): (0, 1),
    ("similarity", "results", 0, "interval", "distance", 0): (0, None),
    ("similarity", "results", 0, "interval", "distance", 1): (0, None),
    ("similarity", "results", 0, "interval", "confidence"): (0, 1),
    ("matrix", "similarities", 1, 0): (0, 1),
    ("matrix", "distances", 0, 1): (0, None),
    ("matrix", "intervals", 1, 1, "similarity", 0): (0, 1),
    ("matrix", "intervals", 1, 1, "distance", 1): (0, None),
    ("rerank", "results", 1, "relevance_score"): (0, 1),
}


@pytest.mark.parametrize(
    ("place", "bounds"), WITHIN.items(), ids=[" ".join(map(str, one)) for one in WITHIN]
)
def test_a_number_that_the_service_cannot_give_is_refused(ask, place, bounds):
    """A similarity of 1.5 was given back as one."""
    interval = {"confidence": 0.9, "distance": [0, 1], "similarity": [0, 1]}
    score = {"similarity": 0, "distance": 0, "interval": interval}
    method, *keys = place
    body = {
        "similarity": {"results": [score]},
        "matrix": {
            "similarities": [[1, 0], [0, 1]],
            "distances": [[0, 1], [1, 0]],
            "intervals": [[interval, interval], [interval, interval]],
        },
        "rerank": {"results": [{"index": i, "relevance_score": i} for i in range(2)]},
    }[method]
    args = {"similarity": [ONE], "matrix": [SEVERAL], "rerank": [FIRST, SEVERAL]}[method]

    def answer(number: float) -> object:
        content = copy.deepcopy({"model": "toy", "usage": {}, "scale": "none", **body})
        *path, last = keys
        found = content
        for key in path:
            found = found[key]
        found[last] = number
        reply = httpx.Response(200, json=content)
        return ask(method, *args, transport=httpx.MockTransport(lambda _: reply))

    least, most = bounds
    for allowed in (least, 0.25, 1e6 if most is None else most):
        assert answer(allowed)
    refused = [-0.001, -1, 10**400] + ([] if most is None else [1.001, 1.5, 100])
    for number in refused:
        with pytest.raises(UnexpectedAnswerError, match="number from 0|too large"):
            answer(number)


COUNT, FLAG, WORDS = [True, False, 1.0, "1", None, -1], [1, 0, "true", None], [1, True, None, ["a"]]


@pytest.mark.parametrize("wrong", COUNT, ids=repr)
def test_an_index_that_is_no_whole_number_is_refused(ask, wrong):
    """True and 1.0 were given back as the place of a document."""
    results = [{"index": i, "relevance_score": 0.5} for i in (0, wrong)]
    body = {"model": "toy", "usage": {}, "results": results}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    with pytest.raises(UnexpectedAnswerError, match="should be"):
        ask("rerank", FIRST, SEVERAL, transport=transport)


KINDS = [
    (name, wrong)
    for name, wrongs in {"text": WORDS, "token_ids": COUNT, "ended": FLAG}.items()
    for wrong in wrongs
]


@pytest.mark.parametrize(("name", "wrong"), KINDS, ids=repr)
def test_a_part_of_a_trajectory_of_another_type_is_refused(ask, name, wrong):
    given = {"text": "a", "token_ids": [1], "log_likelihood": -1.0, "ended": False}
    given[name] = [1, wrong] if name == "token_ids" else wrong
    body = {"model": "toy", "usage": {}, "trajectories": [[given]]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    with pytest.raises(UnexpectedAnswerError, match="should be"):
        ask("trajectories", [FIRST], transport=transport)


EXPLAINED = [
    ("text", WORDS),
    ("source", COUNT),
    ("counts", [[1, one] for one in COUNT]),
    ("tokens", COUNT),
    ("ended", FLAG),
]


@pytest.mark.parametrize(("name", "wrongs"), EXPLAINED)
def test_a_part_of_an_explanation_of_another_type_is_refused(ask, name, wrongs):
    given = {
        "text": "a",
        "source": 0,
        "counts": [1, 0],
        "log_likelihoods": [-1, -2],
        "tokens": 1,
        "ended": True,
    }
    for wrong in wrongs:
        explanation = {"method": "trajectories", "continuations": [{**given, name: wrong}]}
        score = {"similarity": 0, "distance": 0, "explanation": explanation}
        body = {"model": "toy", "usage": {}, "scale": "none", "results": [score]}
        reply = httpx.Response(200, json=body)
        with pytest.raises(UnexpectedAnswerError, match="should be"):
            ask("similarity", [ONE], transport=httpx.MockTransport(lambda _, r=reply: r))


def test_results_are_a_list_that_can_be_pickled_and_copied(ask, url):
    scores = ask("similarity", [(FIRST, SECOND)], url=url, explain=True)
    for again in (pickle.loads(pickle.dumps(scores)), copy.deepcopy(scores)):
        assert again == list(scores)
        assert again.about == scores.about


@pytest.mark.parametrize("code", [None, 404, 1.5, True, [], {"a": 1}, "a\x1b[2J", "x", "é\u202e"])
@pytest.mark.parametrize("message", [None, 7, ["a"], {}, "a\r\x1b[2Jb"])
@pytest.mark.parametrize("param", [None, 1, ["a"], "a\x07"])
def test_an_error_of_another_server_has_texts_that_can_be_shown(ask, code, message, param):
    """The code was any value of JSON, and a control character of it reached the terminal."""
    body = {"error": {"code": code, "message": message, "param": param}}
    reply = httpx.Response(404, json=body)
    with pytest.raises(ApiError) as caught:
        ask("rerank", "a", ["b"], transport=httpx.MockTransport(lambda _: reply))
    error = caught.value
    for shown in (str(error), error.code, "" if error.param is None else error.param):
        assert type(shown) is str
        assert shown.isprintable()
    if isinstance(code, str) and isinstance(message, str):
        assert error.code != "http_error"
    assert (error.param is None) == (not isinstance(param, str) or error.code == "http_error")
    assert pickle.loads(pickle.dumps(error)).code == error.code


def test_an_error_that_is_nested_without_end_is_of_another_server(ask):
    reply = httpx.Response(502, content=b'{"error": ' + b"[" * 100_000)
    with pytest.raises(ApiError) as caught:
        ask("rerank", "a", ["b"], transport=httpx.MockTransport(lambda _: reply))
    assert (caught.value.status, caught.value.code) == (502, "http_error")


def test_an_error_has_its_field_and_when_to_come_again(ask, url):
    with pytest.raises(ApiError) as caught:
        ask("similarity", [("море", " ")], url=url)
    assert (caught.value.param, caught.value.retry_after) == ("pairs[0][1]", None)
    assert pickle.loads(pickle.dumps(caught.value)).param == "pairs[0][1]"
    for header, seconds in (("7", 7.0), ("soon", None)):
        late = httpx.Response(504, headers={"retry-after": header})
        with pytest.raises(ApiError) as caught:
            ask("rerank", "a", ["b"], transport=httpx.MockTransport(lambda _, late=late: late))
        assert (caught.value.param, caught.value.retry_after) == (None, seconds)
