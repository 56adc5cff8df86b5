"""Variables of the environment that are nearly one of the library's."""

import re

import pytest
from click.testing import CliRunner

from service.settings import Settings
from similarity.cli.main import main
from similarity.cli.variables import LIBRARY, misspelt
from tests.conftest import ROOT

OF_THE_SERVICE = {f"TRAJSIM_{name.upper()}" for name in Settings.model_fields}


def test_every_variable_that_the_library_reads_is_known() -> None:
    written = {
        name
        for path in (ROOT / "similarity").rglob("*.py")
        for name in re.findall(r"\bTRAJSIM_[A-Z_]*[A-Z]\b", path.read_text())
    }
    assert written - OF_THE_SERVICE <= LIBRARY


def test_no_setting_of_the_service_is_taken_for_one_of_the_library() -> None:
    assert list(misspelt(OF_THE_SERVICE)) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TRAJSIM_CALIBRATIN", "TRAJSIM_CALIBRATION"),
        ("TRAJSIM_MODLE", "TRAJSIM_MODEL"),
        ("TRAJSIM_CAHCE", "TRAJSIM_CACHE"),
        ("TRAJSIM_MODEL", None),
        ("OTHER", None),
    ],
)
def test_a_command_warns_of_a_misspelt_variable(
    name: str, near: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scale that it named was not used, without a word."""
    for known in LIBRARY:
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(name, "none.json")
    result = CliRunner().invoke(main, ["compare", "a cat", "a dog", "--model", "toy"])
    assert result.exit_code == 0, result.output
    if near is None:
        assert "is no variable" not in result.stderr
    else:
        said = f"warning: {name} is no variable of trajsim and has no effect; did you mean {near}?"
        assert said in result.stderr.splitlines()
