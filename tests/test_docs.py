"""What the documentation says is what the tables in the code say."""

import doctest
import re
from types import ModuleType

import numpy as np
import pytest

import similarity
import similarity.vectors
import trajsim
from similarity.estimators.table import ESTIMATORS
from similarity.prompts import PROMPTS
from tests.conftest import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
METHOD = "".join(
    (ROOT / "docs" / "method" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("trajectories", "estimators", "profiles")
)


def test_method_defines_every_distance_and_estimator() -> None:
    # The table of estimators begins with the paper's distances.
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", METHOD, re.MULTILINE) == list(ESTIMATORS)


def test_method_quotes_every_prompt() -> None:
    for name, prompt in PROMPTS.items():
        for quoted in filter(None, (prompt.before, prompt.after)):
            assert f"`{quoted}`" in METHOD, name


def test_the_example_by_hand_is_right() -> None:
    page = (ROOT / "docs" / "method" / "profiles.md").read_text(encoding="utf-8")
    rows = {
        name: np.array([float(cell.replace("−", "-")) for cell in cells.split("|")])
        for name, cells in re.findall(
            r"^\| ([^|]*[uvtℓ̄no][^|]*?) \|((?: −?[\d.]+ \|?)+)\|$", page, re.M
        )
    }
    u, v, usual = (rows[name] for name in ("ℓ_u", "ℓ_v", "ℓ̄"))
    for row in (u, v, usual):
        assert np.exp(row).sum() == pytest.approx(1, abs=2e-3)
    centred = [row - usual - (row - usual).mean() for row in (u, v)]
    assert rows["ℓ_u − ℓ̄, less its mean"] == pytest.approx(centred[0], abs=2e-3)
    assert rows["ℓ_v − ℓ̄, less its mean"] == pytest.approx(centred[1], abs=2e-3)
    assert rows["product of the two"] == pytest.approx(centred[0] * centred[1], abs=5e-3)
    correlation = float(np.corrcoef(*centred)[0, 1])
    assert f"5.0 / √28 = {correlation:.2f}" in page


def test_the_file_tree_is_true() -> None:
    (tree,) = re.findall(r"## The files\n\n```\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert tree
    folders: list[str] = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, said = line.strip().partition(" ")
        folders = [*folders[:depth], name]
        assert said, name
        assert (ROOT / "".join(folders)).is_dir(), "".join(folders)


@pytest.mark.parametrize(
    "package", [similarity, similarity.vectors, trajsim], ids=lambda one: one.__name__
)
def test_examples_of_the_packages_give_what_they_say(package: ModuleType) -> None:
    found = doctest.testmod(package)
    assert (found.attempted > 0, found.failed) == (True, 0)
