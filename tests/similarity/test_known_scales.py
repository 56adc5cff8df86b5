from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from similarity.calibration import (
    NAME,
    Calibration,
    add_calibration,
    comparable,
    write_calibrations,
)
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.known_scales import (
    KnownScales,
    find_calibration,
    forget_scale,
    keep_scale,
    kept_scales,
)
from similarity.models.toy import ToyModel
from similarity.storage.user_cache import cache_folder

CONFIG = ComparisonConfig.build(n_trajectories=3)
GOOD = Calibration(
    revision=ToyModel().info.revision,
    settings=comparable(CONFIG.to_dict()),
    fitted_on={"task": "made", "pairs": 3},
    distances=(0.0, 1.0, 3.0),
    similarities=(1.0, 0.5, 0.1),
)
GENERAL = replace(GOOD, scale="general text")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def keep(calibration: Calibration) -> Path:
    kept, _ = keep_scale(calibration, "toy", "preset paper")
    return kept.path


def test_the_one_that_was_fitted_last_is_found() -> None:
    assert find_calibration(ToyModel(), CONFIG) is None
    path = keep(GOOD)
    assert path.parent == cache_folder("calibrations")
    assert find_calibration(ToyModel(), CONFIG) == GOOD
    # Whatever it was fitted to.
    assert keep(GENERAL) == path
    assert list(path.parent.iterdir()) == [path]
    assert find_calibration(ToyModel(), CONFIG) == GENERAL
    other = ComparisonConfig.build(n_trajectories=3, distance="l2")
    assert find_calibration(ToyModel(), other) is None


def test_ones_own_goes_before_what_ships_and_a_named_file_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ToyModel()
    model.assets = tmp_path
    add_calibration(tmp_path / NAME, GOOD)
    assert find_calibration(model, CONFIG) == GOOD
    keep(GENERAL)
    assert find_calibration(model, CONFIG) == GENERAL
    named = replace(GOOD, scale="own texts", similarities=(1.0, 0.9, 0.8))
    add_calibration(tmp_path / "named.json", named)
    monkeypatch.setenv("TRAJSIM_CALIBRATION", str(tmp_path / "named.json"))
    assert find_calibration(model, CONFIG) == named
    # It has nothing for these settings.
    other = replace(GOOD, settings=comparable(ComparisonConfig.build(max_tokens=3).to_dict()))
    (tmp_path / "named.json").unlink()
    add_calibration(tmp_path / "named.json", other)
    assert find_calibration(model, CONFIG) == GENERAL


def test_what_is_fitted_later_changes_nothing_for_who_has_looked() -> None:
    keep(GOOD)
    known = KnownScales(ToyModel())
    keep(GENERAL)
    other = replace(GOOD, settings=comparable(ComparisonConfig.build(max_tokens=3).to_dict()))
    keep(other)
    assert known.find(CONFIG) == GOOD
    assert known.find(ComparisonConfig.build(max_tokens=3)) is None
    for scale in kept_scales():
        forget_scale(scale.name)
    assert known.find(CONFIG) == GOOD
    assert find_calibration(ToyModel(), CONFIG) is None


def test_a_scale_is_kept_with_what_a_person_knows_it_by() -> None:
    kept, before = keep_scale(GOOD, "toy", "preset paper")
    assert before is None
    assert kept.read().kept is not None
    assert kept_scales() == [kept]
    (listed,) = kept_scales()
    assert listed.read().kept == kept.read().kept
    assert {"model": "toy", "compares": "preset paper"}.items() <= (kept.read().kept or {}).items()
    again, replaced = keep_scale(GENERAL, "toy", "preset paper")
    assert replaced is not None
    assert replaced.read() == GOOD
    assert forget_scale(again.name).read() == GENERAL
    assert kept_scales() == []


def test_what_is_not_there_cannot_be_forgotten() -> None:
    with pytest.raises(InputError, match="there is no scale ''; you keep none"):
        forget_scale("")
    with pytest.raises(InputError, match="there is no scale 'mine'; you keep none"):
        forget_scale("mine")
    path = keep(GOOD)
    with pytest.raises(InputError, match=f"there is no scale 'mine'; there are {path.stem}"):
        forget_scale("mine")
    # Neither can a file elsewhere.
    with pytest.raises(InputError, match="there is no scale"):
        forget_scale(f"../calibrations/{path.stem}")


@pytest.mark.parametrize("content", ["[", "[]"])
def test_a_damaged_one_hinders_its_own_settings_alone(content: str) -> None:
    path = keep(GOOD)
    path.write_text(content)
    other = ComparisonConfig.build(max_tokens=3)
    assert find_calibration(ToyModel(), other) is None
    with pytest.raises(
        InputError,
        match=f"is no file of scales: .*, or forget it: trajsim scales forget {path.stem}$",
    ):
        find_calibration(ToyModel(), CONFIG)
    forget_scale(path.stem)
    assert find_calibration(ToyModel(), CONFIG) is None


@pytest.mark.parametrize(
    "other",
    [
        {"revision": "another"},
        {"settings": comparable(ComparisonConfig.build(max_tokens=4).to_dict())},
    ],
)
def test_a_file_under_the_name_of_another_is_refused(other: dict[str, Any]) -> None:
    """As a copy over it is. Similarities had no scale, unsaid."""
    path = keep(GOOD)
    write_calibrations(path, [replace(GOOD, **other)])
    said = f"another model or way of comparing than its name says; .* forget {path.stem}$"
    with pytest.raises(InputError, match=said):
        find_calibration(ToyModel(), CONFIG)
    assert find_calibration(ToyModel(), ComparisonConfig.build(max_tokens=3)) is None
    keep(GOOD)
    assert find_calibration(ToyModel(), CONFIG) is not None


def test_a_cache_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "file"))
    assert find_calibration(ToyModel(), CONFIG) is None
    assert kept_scales() == []
    with pytest.raises(InputError, match="name another folder by TRAJSIM_CACHE"):
        keep(GOOD)
