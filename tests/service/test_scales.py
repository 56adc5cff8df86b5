"""Which scale the answers of a running service are on."""

from pathlib import Path

import pytest

from similarity.calibration import comparable
from similarity.config import ComparisonConfig
from similarity.known_scales import forget_scale, keep_scale
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.scales import scale_of_general_text

SMALL = {"n_trajectories": 2, "max_tokens": 4}
BODY = {"pairs": [["a b", "c d"]], **SMALL}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    return tmp_path


def test_a_service_keeps_the_scale_that_it_started_with(open_client):
    def answer(client):
        found = client.post("/v1/similarity", json=BODY).json()
        return found["scale"], found["results"], found["fingerprint"]["calibration"]

    config = ComparisonConfig.build(**SMALL)
    before = open_client()
    scale, results, digest = answer(before)
    assert (scale, digest) == ("none", "default")
    found = scale_of_general_text(TrajectoryScorer(ToyModel(), config), 5)
    assert found.settings == comparable(config.to_dict())
    kept, _ = keep_scale(found, "toy", "preset paper")
    assert answer(before) == (scale, results, digest)
    after = open_client()
    assert answer(after)[::2] == ("general text", found.digest)
    forget_scale(kept.name)
    assert answer(after)[::2] == ("general text", found.digest)
    assert answer(open_client()) == (scale, results, digest)
