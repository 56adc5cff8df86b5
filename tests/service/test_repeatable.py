"""Where the same request gets the same answer, and that the answer says so."""

from dataclasses import replace

import pytest

from similarity.models.local import load_local
from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TINY_CONFIG, sentences
from tests.tiny_models import save_tiny_model

PAIR = ["A dog runs along the river.", "It rains."]


def toy_of(dtype):
    model = ToyModel()
    model.info = replace(model.info, dtype=dtype)
    return model


@pytest.mark.parametrize(
    ("dtype", "repeatable"),
    [("float32", True), ("float64", True), ("bfloat16", False), ("float16", False)],
)
def test_an_answer_says_whether_it_is_promised(open_client, dtype, repeatable):
    client = open_client(toy_of(dtype))
    for body in ({"pairs": [PAIR]}, {"rows": PAIR}):
        answer = client.post("/v1/similarity", json=body).json()
        assert answer["repeatable"] is repeatable
        assert answer["fingerprint"]["model"]["dtype"] == dtype


@pytest.mark.parametrize(
    ("dtype", "settings"),
    [
        ("bfloat16", {"batch_tokens": 1}),
        ("bfloat16", {"batch_tokens": 2, "cache_megabytes": 0}),
        ("served", {"batch_tokens": 1, "cache_megabytes": 0}),
    ],
)
def test_half_precision_needs_both_settings(open_client, dtype, settings):
    client = open_client(toy_of(dtype), **settings)
    answer = client.post("/v1/similarity", json={"pairs": [PAIR]}).json()
    assert answer["repeatable"] is False


@pytest.mark.parametrize("body", [{"preset": "paper"}, {"n_trajectories": 3, "max_tokens": 4}])
def test_trajectories_repeat_too_with_one_text_a_call(open_client, tmp_path, body):
    model = load_local(str(save_tiny_model("llama", tmp_path / "model")), dtype="bfloat16")
    client = open_client(model, batch_tokens=1, cache_megabytes=0)
    found = []
    for pairs in ([PAIR], [["It rains on a red house.", "a"], PAIR], [PAIR, ["a b", "c"]]):
        answer = client.post("/v1/similarity", json={"pairs": pairs, **body}).json()
        assert answer["repeatable"] is True
        found.append(answer["results"][pairs.index(PAIR)]["distance"])
    assert found[0] == found[1] == found[2] > 0


def test_with_one_text_a_call_half_precision_repeats_too(open_client, tmp_path):
    """Each call reads one text, so nothing depends on what is read beside it."""
    network = str(save_tiny_model("llama", tmp_path / "model"))
    model = load_local(network, dtype="bfloat16")
    save(fit(model, sentences(40), TINY_CONFIG), tmp_path / "vectors")
    client = open_client(
        model, vectors=str(tmp_path / "vectors"), batch_tokens=1, cache_megabytes=0
    )
    found = []
    for pairs in ([PAIR], [["It rains on a red house.", "a"], PAIR], [PAIR, ["a b", "c"], PAIR]):
        answer = client.post("/v1/similarity", json={"pairs": pairs}).json()
        assert answer["repeatable"] is True
        found.append(answer["results"][pairs.index(PAIR)]["distance"])
    assert found[0] == found[1] == found[2] > 0
