import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.api import compare, compare_matrix
from similarity.calibration import (
    DIGEST,
    NAME,
    Calibration,
    add_calibration,
    comparable,
    fit_knots,
    load_calibrations,
)
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.estimators.table import ESTIMATORS
from similarity.known_scales import find_calibration
from similarity.models.loader import EMBEDDED_PATH, load_model
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.uncertainty import Tolerance
from tests.similarity.exact import SmallToy

CONFIG = ComparisonConfig.build(n_trajectories=3)
GOOD = Calibration(
    revision=ToyModel().info.revision,
    settings=comparable(CONFIG.to_dict()),
    fitted_on={"task": "made", "pairs": 3},
    distances=(0.0, 1.0, 3.0),
    similarities=(1.0, 0.5, 0.1),
)
# Nearer to 0 than a float32 can distinguish two likelihoods, distances are of no interest.
distances = st.floats(0, 9).map(lambda value: round(value, 9))
pairs = st.lists(st.tuples(distances, st.floats(0, 1)), min_size=2, max_size=40)


def test_the_map_by_hand() -> None:
    given = (0, 0.5, 1, 2, 3, 99)
    assert [GOOD.similarity(d) for d in given] == pytest.approx([1, 0.75, 0.5, 0.3, 0.1, 0.1])


def test_many_distances_have_the_similarities_that_they_have_alone() -> None:
    drawn = np.random.default_rng(0).uniform(0, 3, (40, 50))
    knots = np.sort(drawn[0]).tolist()
    for calibration in (
        GOOD,
        replace(GOOD, distances=(0.0, *knots), similarities=tuple(np.linspace(1, 0, 51))),
    ):
        found = calibration.of_all(drawn)
        alone = [[calibration.similarity(float(x)) for x in row] for row in drawn]
        np.testing.assert_array_equal(found, alone)


def test_it_is_for_one_model_and_setting() -> None:
    info = ToyModel().info
    assert GOOD.applies(info, CONFIG)
    assert GOOD.applies(info, ComparisonConfig.build(n_trajectories=3, seed=9))
    assert GOOD.applies(info, ComparisonConfig.build(n_trajectories=4))
    assert not GOOD.applies(info, ComparisonConfig.build(n_trajectories=3, max_tokens=9))
    assert not GOOD.applies(info, ComparisonConfig.build(n_trajectories=3, distance="l2"))
    assert not GOOD.applies(replace(info, revision="another"), CONFIG)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_a_mean_is_the_mean_of_its_parts(name: str) -> None:
    estimator = ESTIMATORS[name]
    rows = np.random.default_rng(1).uniform(-5, -1, (1 if estimator.step else 4, 12))
    if not estimator.relative or estimator.step:
        rows = rows[:2]
    parts = [estimator.distance(*part) for part in np.split(rows, 3, axis=1)]
    same = np.isclose(estimator.distance(*rows), np.mean(parts), rtol=1e-12)
    assert same == estimator.distance.is_mean


def mean_distance(distance: str, n: int, seeds: int) -> tuple[float, float]:
    """Return the mean over seeds of a distance with n trajectories, and its standard error."""
    toy = SmallToy()
    configs = [
        ComparisonConfig.build(n_trajectories=n, max_tokens=3, distance=distance, seed=seed)
        for seed in range(seeds)
    ]
    found = [compare(toy, "ab", "b", config).distance for config in configs]
    return float(np.mean(found)), float(np.std(found) / np.sqrt(seeds))


@pytest.mark.parametrize(
    ("distance", "same"),
    [("l1", True), ("step-jensen-shannon", True), ("l2", False), ("linf", False)],
)
def test_the_expectation_is_the_same_for_every_number_of_trajectories(
    distance: str, same: bool
) -> None:
    few, many = mean_distance(distance, 1, 240), mean_distance(distance, 8, 60)
    standard_errors = abs(few[0] - many[0]) / np.hypot(few[1], many[1])
    assert (standard_errors < 3) == same
    settings = [
        comparable(ComparisonConfig.build(n_trajectories=n, distance=distance).to_dict())
        for n in (1, 8)
    ]
    assert (settings[0] == settings[1]) == same


def test_sampling_on_changes_the_scale_only_where_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal = Tolerance(half_width=1e-6, max_trajectories=6)
    for distance, calibrated in (("l1", True), ("l2", False)):
        config = ComparisonConfig.build(n_trajectories=3, distance=distance)
        path = tmp_path / f"{distance}.json"
        add_calibration(path, replace(GOOD, settings=comparable(config.to_dict())))
        monkeypatch.setenv("TRAJSIM_CALIBRATION", str(path))
        (found,) = TrajectoryScorer(ToyModel(), config, goal).score([("a red car", "the sea")])
        assert found.fingerprint.config.sampling.n_trajectories == 6
        assert found.fingerprint.calibrated == calibrated
        expected = GOOD.similarity(found.distance) if calibrated else np.exp(-found.distance)
        assert found.similarity == pytest.approx(expected)


def test_a_file_of_earlier_names_the_number_too(tmp_path: Path) -> None:
    path = tmp_path / NAME
    add_calibration(path, replace(GOOD, settings=CONFIG.to_dict()))
    assert load_calibrations(path) == (GOOD,)


def test_saved_and_read(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    add_calibration(path, GOOD)
    (found,) = load_calibrations(path)
    assert found == GOOD
    assert found.applies(ToyModel().info, CONFIG)
    with pytest.raises(InputError, match="cannot read"):
        load_calibrations(tmp_path / "none.json")
    path.write_text('[{"distances": [0], "similarities": ["x"]}]')
    with pytest.raises(InputError, match="is no file of scales"):
        load_calibrations(path)
    with pytest.raises(InputError, match="is no file of scales: .*; name another file$"):
        add_calibration(path, GOOD)
    assert "x" in path.read_text()


def test_a_changed_value_is_found_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    add_calibration(path, GOOD)
    sound = path.read_text()
    places = [place for place, letter in enumerate(sound) if letter.isalnum()]
    for place in places:
        other = {"t": "f", "9": "8"}.get(sound[place], chr(ord(sound[place]) ^ 1))
        path.write_text(sound[:place] + other + sound[place + 1 :])
        with pytest.raises(InputError, match=f"{path} is no file of scales: .*; name a file that"):
            load_calibrations(path)
    path.write_text(sound)
    assert load_calibrations(path) == (GOOD,)


def test_one_that_was_written_by_hand_needs_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    add_calibration(path, GOOD)
    (content,) = json.loads(path.read_text())
    del content[DIGEST]
    path.write_text(json.dumps([content]))
    assert load_calibrations(path) == (GOOD,)
    # What no float can hold is no distance.
    path.write_text(json.dumps([content | {"distances": [0, 10**400]}]))
    with pytest.raises(InputError, match="is no file of scales"):
        load_calibrations(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "it wants a list of one scale or more"),
        ([], "it wants a list of one scale or more"),
        ("", "it wants a list of one scale or more"),
        (None, "it wants a list of one scale or more"),
        ([{}], "a scale lacks its revision"),
        (["GOOD"], "a scale must be an object"),
        *(
            ([{**json.loads(json.dumps(asdict(GOOD))), name: value}], said)
            for name, value, said in (
                ("revision", 5, "the revision of a scale cannot be '5'"),
                ("settings", [], "the settings of a scale cannot be"),
                ("settings", {}, "the settings of a scale lack their distance"),
                ("fitted_on", 3, "the fitted_on of a scale cannot be '3'"),
                ("distances", "01", "the distances of a scale cannot be '01'"),
                ("kept", 7, "what a scale is kept as cannot be '7'"),
            )
        ),
    ],
)
def test_what_lacks_something_is_no_scale(content: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"is no file of scales: {said}.*; name a file"):
        load_calibrations(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    os.mkfifo(path)
    for place in (path, Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match=f"{place} is no file"):
            load_calibrations(place)


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
        ((-0.5, 1.0), (1.0, 0.0)),
        ((0.0, np.inf), (1.0, 0.0)),
        ((0.0, np.nan), (1.0, 0.0)),
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
    assert (plain.to_dict()["calibrated"], plain.to_dict()["scale"]) == (False, "none")
    assert plain.similarity == pytest.approx(np.exp(-plain.distance))
    path = tmp_path / NAME
    add_calibration(path, GOOD)
    monkeypatch.setenv("TRAJSIM_CALIBRATION", str(path))
    model = load_model("toy")
    result = compare(model, "a red car", "a blue boat", CONFIG)
    assert (result.to_dict()["calibrated"], result.to_dict()["scale"]) == (True, "judgements")
    assert result.scale == "judgements"
    assert result.distance == plain.distance
    assert result.similarity == GOOD.similarity(result.distance)
    assert result.fingerprint.digest != plain.fingerprint.digest
    interval = result.interval()
    assert interval.similarity == tuple(GOOD.similarity(d) for d in reversed(interval.distance))
    matrix = compare_matrix(model, ["a red car"], ["a blue boat"], CONFIG)
    assert (matrix.to_dict()["calibrated"], matrix.to_dict()["scale"]) == (True, "judgements")
    assert matrix.similarities[0, 0] == result.similarity
    # Another setting is another scale.
    other = compare(model, "a red car", "a blue boat", ComparisonConfig.build(max_tokens=2))
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
