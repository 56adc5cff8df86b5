"""Which scale the answers of a running service are on."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import serve
from service.http.app import check_scales
from similarity.calibration import comparable
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.known_scales import forget_scale, keep_scale
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.scales import scale_of_general_text
from similarity.scorers import ScoringRequest, plan_scoring

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


def damaged_scale(config: ComparisonConfig) -> Path:
    found = scale_of_general_text(TrajectoryScorer(ToyModel(), config), 5)
    kept, _ = keep_scale(found, "toy", "preset paper")
    kept.path.write_text("{")
    return kept.path


def test_a_damaged_scale_is_no_mistake_of_the_client(open_client, caplog):
    path = damaged_scale(ComparisonConfig.build(**SMALL))
    answer = open_client().post("/v1/similarity", json=BODY)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "scale_unreadable")
    # Only who runs the service may know where files lie.
    assert str(path) not in error["message"]
    assert str(path) in caplog.text


def test_a_service_is_not_started_with_a_damaged_scale_of_a_preset():
    path = damaged_scale(plan_scoring(ScoringRequest(preset="paper"), None).config)
    with pytest.raises(InputError, match=path.name):
        check_scales(ToyModel(), None)


def test_a_service_is_not_started_with_a_damaged_file_of_scales(tmp_path, monkeypatch):
    (tmp_path / "scales.json").write_text("{")
    monkeypatch.setenv("TRAJSIM_CALIBRATION", str(tmp_path / "scales.json"))
    found = CliRunner().invoke(serve, ["--model", "toy", "--port", "0"], standalone_mode=False)
    assert isinstance(found.exception, InputError)
    assert "scales.json" in str(found.exception)
