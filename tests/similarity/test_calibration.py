import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.api import compare, compare_matrix
from similarity.calibration import (
    NAME,
    Calibration,
    add_calibration,
    comparable,
    find_calibration,
    fit_knots,
    load_calibrations,
)
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.models.loader import EMBEDDED_PATH, load_model
from similarity.models.toy import ToyModel

CONFIG = ComparisonConfig.build(n_trajectories=3)
GOOD = Calibration(
    revision=ToyModel().info.revision,
    settings=comparable(CONFIG.to_dict()),
    fitted_on={"task": "made", "pairs": 3},
    distances=(0.0, 1.0, 3.0),
    similarities=(1.0, 0.5, 0.1),
)
# Nearer to 0 than a float32 can tell two likelihoods apart, distances are of no interest.
distances = st.floats(0, 9).map(lambda value: round(value, 9))
pairs = st.lists(st.tuples(distances, st.floats(0, 1)), min_size=2, max_size=40)


def test_the_map_by_hand() -> None:
    given = (0, 0.5, 1, 2, 3, 99)
    assert [GOOD.similarity(d) for d in given] == pytest.approx([1, 0.75, 0.5, 0.3, 0.1, 0.1])


def test_it_is_for_one_model_and_setting() -> None:
    info = ToyModel().info
    assert GOOD.applies(info, CONFIG)
    assert GOOD.applies(info, ComparisonConfig.build(n_trajectories=3, seed=9))
    assert not GOOD.applies(info, ComparisonConfig.build(n_trajectories=4))
    assert not GOOD.applies(info, ComparisonConfig.build(n_trajectories=3, distance="l2"))
    assert not GOOD.applies(replace(info, revision="another"), CONFIG)


def test_saved_and_read(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    add_calibration(path, GOOD)
    (found,) = load_calibrations(path)
    assert found == GOOD
    assert found.applies(ToyModel().info, CONFIG)
    with pytest.raises(InputError, match="cannot read"):
        load_calibrations(tmp_path / "none.json")
    path.write_text('[{"distances": [0], "similarities": ["x"]}]')
    with pytest.raises(InputError, match="has no calibrations"):
        load_calibrations(path)
    with pytest.raises(InputError, match="has no calibrations"):
        add_calibration(path, GOOD)
    assert "x" in path.read_text()


def test_a_file_keeps_one_map_for_each_setting_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    other = replace(GOOD, settings={"distance": "another"})
    better = replace(GOOD, similarities=(1.0, 0.6, 0.2))
    for one in (GOOD, other, better):
        add_calibration(path, one)
    assert load_calibrations(path) == (other, better)
    retrained = replace(GOOD, revision="another")
    add_calibration(path, retrained)
    assert load_calibrations(path) == (retrained,)


@pytest.mark.parametrize(
    "knots",
    [
        ((0.0,), (1.0,)),
        ((0.0, 0.0), (1.0, 0.5)),
        ((0.0, 1.0), (0.5, 0.6)),
        ((0.0, 1.0), (2.0, 0.0)),
    ],
)
def test_maps_that_cannot_be(knots: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    with pytest.raises(ConfigError, match="calibration"):
        replace(GOOD, distances=knots[0], similarities=knots[1])


@given(pairs)
def test_a_fit_falls_from_one(judged: list[tuple[float, float]]) -> None:
    distances, similarities = (np.array(side) for side in zip(*judged, strict=True))
    if distances.max() == 0:
        return
    x, y = fit_knots(distances, similarities)
    fitted = replace(GOOD, distances=x, similarities=y)
    at = np.linspace(0, 10, 60)
    found = np.array([fitted.similarity(d) for d in at])
    assert (np.diff(found) <= 1e-12).all()
    assert found[0] == 1
    assert found[-1] >= 0


def test_a_fit_finds_the_map() -> None:
    generator = np.random.default_rng(0)
    distances = generator.uniform(0, 2, 20_000)
    judgements = (generator.uniform(size=distances.size) < np.exp(-distances)).astype(float)
    x, y = fit_knots(distances, judgements)
    fitted = replace(GOOD, distances=x, similarities=y)
    for distance in (0.2, 0.5, 1.0, 1.5):
        assert fitted.similarity(distance) == pytest.approx(np.exp(-distance), abs=0.04)


def test_a_comparison_says_whether_it_is_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = compare(load_model("toy"), "a red car", "a blue boat", CONFIG)
    assert plain.to_dict()["calibrated"] is False
    assert plain.similarity == pytest.approx(np.exp(-plain.distance))
    path = tmp_path / NAME
    add_calibration(path, GOOD)
    monkeypatch.setenv("TRAJSIM_CALIBRATION", str(path))
    model = load_model("toy")
    result = compare(model, "a red car", "a blue boat", CONFIG)
    assert result.to_dict()["calibrated"] is True
    assert result.distance == plain.distance
    assert result.similarity == GOOD.similarity(result.distance)
    assert result.fingerprint.digest != plain.fingerprint.digest
    interval = result.interval()
    assert interval.similarity == tuple(GOOD.similarity(d) for d in reversed(interval.distance))
    matrix = compare_matrix(model, ["a red car"], ["a blue boat"], CONFIG)
    assert matrix.to_dict()["calibrated"] is True
    assert matrix.similarities[0, 0] == result.similarity
    # Another setting is another scale.
    other = compare(model, "a red car", "a blue boat", ComparisonConfig.build(n_trajectories=2))
    assert other.to_dict()["calibrated"] is False


def test_a_file_beside_the_weights_is_found(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_PATH, tmp_path / "model", ignore=shutil.ignore_patterns(NAME))
    without = load_model(str(tmp_path / "model"))
    assert without.assets == tmp_path / "model"
    good = replace(GOOD, revision=without.info.revision)
    assert find_calibration(without, CONFIG) is None
    add_calibration(tmp_path / "model" / NAME, good)
    found = load_model(str(tmp_path / "model"))
    assert find_calibration(found, CONFIG) == good
    # It is not part of what it was fitted for.
    assert found.info == without.info
