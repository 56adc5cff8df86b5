"""POST /v1/cluster and /v1/dedupe: what the library's functions make of the same similarities."""

import numpy as np
import pytest

from similarity.groups.clustering import LINKAGES, cluster, deduplicate

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
