"""POST /v1/cluster and /v1/dedupe: what the library's functions make of the same similarities."""

import time

import httpx
import numpy as np
import pytest

from similarity.groups import own_words
from similarity.groups.clustering import LINKAGES, cluster, deduplicate
from similarity.models.toy import ToyModel
from tests.service.servers import eventually, running

TEXTS = ["a red car", "the sea", "a red car.", "😀", "the sea!", "a red car", "a red cab"]


@pytest.fixture
def similarities(client):
    answer = client.post("/v1/similarity", json={"rows": TEXTS})
    return np.array(answer.json()["similarities"])


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize(
    "goal", [{"k": 1}, {"k": 3}, {"k": 7}, {"threshold": 0}, {"threshold": 1}, {"threshold": 0.6}]
)
def test_groups_are_those_of_the_library(goal, linkage, client, similarities):
    answer = client.post("/v1/cluster", json={"texts": TEXTS, **goal, "linkage": linkage})
    assert answer.status_code == 200, answer.text
    content, expected = answer.json(), cluster(similarities, **goal, linkage_by=linkage)
    assert [tuple(group["members"]) for group in content["groups"]] == list(expected.groups)
    middles = [group["representative"] for group in content["groups"]]
    assert middles == list(expected.representatives)
    if expected.silhouettes is None:
        assert (content["silhouette"], content["silhouettes"]) == (None, None)
    else:
        np.testing.assert_allclose(content["silhouettes"], expected.silhouettes, atol=1e-12)


def test_the_default_is_the_threshold_of_the_command(client, similarities):
    content = client.post("/v1/cluster", json={"texts": TEXTS}).json()
    expected = cluster(similarities, threshold=0.4)
    assert [tuple(group["members"]) for group in content["groups"]] == list(expected.groups)
    assert {"model", "preset", "calibrated", "scale", "usage", "fingerprint"} <= content.keys()
    assert "warnings" not in content


@pytest.mark.parametrize("threshold", [0, 0.5, 0.9, 1, None])
def test_duplicates_are_those_of_the_library(threshold, client, similarities):
    given = {} if threshold is None else {"threshold": threshold}
    answer = client.post("/v1/dedupe", json={"texts": TEXTS, **given})
    assert answer.status_code == 200, answer.text
    expected = deduplicate(similarities, 0.8 if threshold is None else threshold)
    groups = answer.json()["groups"]
    assert [group["kept"] for group in groups] == [one.kept for one in expected]
    others = [tuple(one["number"] for one in group["duplicates"]) for group in groups]
    assert others == [one.others for one in expected]
    for group in groups:
        for one in group["duplicates"]:
            assert one["similarity"] == similarities[group["kept"], one["number"]]


def test_a_text_says_why_it_is_not_kept(client):
    texts = ["the hill", "The  HILL", "the lake"]
    (group,) = client.post("/v1/dedupe", json={"texts": texts, "threshold": 0}).json()["groups"]
    assert [one["reason"] for one in group["duplicates"]] == ["wording", "similarity"]


def test_a_text_that_repeats_is_read_once(client):
    one = client.post("/v1/dedupe", json={"texts": ["the hill"] * 5}).json()
    assert [group["kept"] for group in one["groups"]] == [0]
    other = client.post("/v1/dedupe", json={"texts": ["the lake"]}).json()
    assert one["usage"]["scored_tokens"] == other["usage"]["scored_tokens"]


@pytest.mark.parametrize("path", ["/v1/cluster", "/v1/dedupe"])
def test_what_is_refused(path, open_client):
    client = open_client(max_characters=50, max_cells=100)
    cases = [
        ({"texts": []}, 422, "texts"),
        ({"texts": [" "]}, 422, "empty"),
        ({"texts": ["a"], "threshold": 1.1}, 422, "threshold"),
        ({"texts": ["a"], "nothing": 1}, 422, "nothing"),
        ({"texts": ["a" * 51]}, 413, "50"),
        ({"texts": ["a"] * 11}, 413, "100"),
    ]
    if path == "/v1/cluster":
        cases += [
            ({"texts": ["a", "b"], "k": 3}, 422, "k must be at most 2, the number of texts"),
            ({"texts": ["a", "b"], "k": 1, "threshold": 0.5}, 422, "exclude each other"),
            ({"texts": ["a", "b"], "linkage": "ward"}, 422, "average"),
        ]
    for body, status, message in cases:
        answer = client.post(path, json=body)
        assert answer.status_code == status, answer.text
        assert message in answer.json()["error"]["message"], answer.text


@pytest.fixture
def read_slowly(monkeypatch):
    """Have the words of each text read in a tenth of a second; give the texts that were read."""
    read, numbers_in = [], own_words.numbers_in

    def slow(text, **more):
        read.append(text)
        time.sleep(0.1)
        return numbers_in(text, **more)

    monkeypatch.setattr(own_words, "numbers_in", slow)
    return read


ROUTES = {
    "/v1/dedupe": {"preset": "fast"},
    "/v1/consensus": {},
    "/v1/consensus?": {"question": "What is it?"},
}


@pytest.mark.longer
@pytest.mark.parametrize("route", ROUTES)
def test_words_are_read_until_the_deadline_alone(route, read_slowly):
    """It went on to its end, and was answered long after the deadline."""
    texts = [f"Item number {i} of all." for i in range(60)]
    with running(ToyModel(), deadline_seconds=4, probe_seconds=100) as url:
        warm = {**ROUTES[route], "texts": texts[:2]}
        assert httpx.post(f"{url}{route}", json=warm, timeout=60).status_code == 200
        late = httpx.post(f"{url}{route}", json={**ROUTES[route], "texts": texts}, timeout=60)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
        assert_it_ends(read_slowly)


@pytest.mark.longer
def test_words_are_read_while_the_client_waits_alone(read_slowly):
    texts = [f"Item number {i} of all." for i in range(60)]
    with running(ToyModel(), probe_seconds=100) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/dedupe", json={"texts": texts, "preset": "fast"}, timeout=2)
        assert_it_ends(read_slowly)


def assert_it_ends(read):
    """See that nothing is read any more, though not all was read."""

    def stands():
        count = len(read)
        time.sleep(0.3)
        return len(read) == count

    assert eventually(stands)
    assert 0 < len(read) < 100


@pytest.mark.usefixtures("read_slowly")
def test_the_time_of_grouping_has_a_stage():
    texts = [f"Item number {i} of all." for i in range(5)]
    with running(ToyModel(), probe_seconds=100) as url:
        httpx.post(f"{url}/v1/dedupe", json={"texts": texts, "preset": "fast"}, timeout=60)
        metrics = httpx.get(f"{url}/metrics").text
    begin = 'trajsim_stage_seconds_sum{stage="other"'
    (line,) = (one for one in metrics.splitlines() if one.startswith(begin))
    assert float(line.rpartition(" ")[2]) >= 1.0
