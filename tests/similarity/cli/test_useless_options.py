"""Options that would have no effect are refused: settings of trajectories, and others."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from similarity.cli.main import main

SETTINGS = {
    "--n-trajectories": "5",
    "-m": "5",
    "--seed": "5",
    "--temperature": "0.5",
    "--top-k": "5",
    "--top-p": "0.5",
    "--distance": "l2",
    "--score-law": "model",
    "--prompt": "implies",
    "--no-full-stop": None,
    "--prompt-before": "a ",
    "--prompt-after": " b",
}
COMMANDS = {
    "preset": ["compare", "a cat", "a dog", "--preset", "meaning"],
    "entails": ["entails", "a cat", "a dog", "--estimator", "weeds-even"],
    "entails, by default": ["entails", "a cat", "a dog"],
    "index": ["index", "query", "INDEX", "a dog"],
    "sts": [
        *("eval", "sts", "--data", ".", "--tasks", "own.csv", "--out", "run"),
        *("--no-trajectories", "--no-baselines", "--method", "fast"),
    ],
}
JUDGED = "score,sentence1,sentence2\n1,a cat,a dog\n3,the sun,rain\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text(JUDGED)
    return tmp_path


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--model", "toy"])
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_setting_of_trajectories_is_refused_where_none_are_sampled(
    name: str, folder: Path
) -> None:
    for flag, value in SETTINGS.items():
        said = refusal(*COMMANDS[name], flag, *([] if value is None else [value]))
        assert " is a setting of trajectories, and " in said
        assert "leave " in said
    assert not (folder / "run").exists()


def test_options_beside_those_are_refused_too(folder: Path) -> None:
    sts = COMMANDS["sts"]
    assert "--log-likelihoods" in refusal(*sts, "--log-likelihoods")
    assert "--seeds" in refusal(*sts, "--seeds", "1,2")
    sampled = [one for one in sts if one != "--no-trajectories"]
    assert "--seed and --seeds exclude" in refusal(*sampled, "--seed", "1", "--seeds", "1,2")
    compared = ("compare", "a cat", "a dog")
    assert "--max-trajectories is of --tolerance" in refusal(*compared, "--max-trajectories", "40")
    by_trajectories = ("entails", "a cat", "a dog", "--estimator", "paper")
    assert "--vectors are of profiles" in refusal(*by_trajectories, "--vectors", "none")


def test_what_has_an_effect_is_taken(folder: Path) -> None:
    begin = ("eval", "sts", "--data", ".", "--tasks", "own.csv", "--model", "toy", "--out")
    for number, rest in enumerate(
        (
            ("--no-baselines", "--method", "cosine", "-n", "2", "-m", "2"),
            ("--no-baselines", "--method", "conditional likelihood", "--prompt", "implies"),
        )
    ):
        result = CliRunner().invoke(main, [*begin, str(number), "--no-trajectories", *rest])
        assert result.exit_code == 0, result.output
    paper = ("entails", "a cat", "a dog", "--estimator", "paper", "-n", "3", "-m", "2")
    assert CliRunner().invoke(main, [*paper, "--model", "toy"]).exit_code == 0


# A method of `eval sts` alone, with options whose place its own settings take.
OWN_SETTINGS = [
    ("prompteol", ("--prompt", "implies"), "--no-trajectories leaves none to sample"),
    ("prompteol", ("--prompt-after", " b"), "--no-trajectories leaves none to sample"),
    ("trajectories, implies", ("--prompt", "meaning"), "have their own"),
    ("trajectories, implies", ("--prompt-before", "a "), "have their own"),
    ("l1", ("--distance", "l2"), "have their own"),
]


@pytest.mark.parametrize(("method", "option", "why"), OWN_SETTINGS)
def test_a_setting_that_all_methods_replace_is_refused(
    method: str, option: Sequence[str], why: str, folder: Path
) -> None:
    """It was ignored in silence."""
    own = [*COMMANDS["sts"][:-1], method]
    said = refusal(*own, *option)
    assert f"{option[0]} is a setting of trajectories, and " in said
    assert why in said
    assert not (folder / "run").exists()


# Command, the options that it has no use for, and what the message says to do.
WITHOUT_USE = [
    (("calibrate",), ("--scale", "1", "7"), "give judged pairs by --pairs"),
    (("calibrate", "--texts", "own.csv"), ("--scale", "1", "7"), "give judged pairs by --pairs"),
    (("calibrate",), ("--columns", "a,b"), "give the file by --pairs or --texts"),
    (("calibrate",), ("--input-format", "csv"), "give the file by --pairs or --texts"),
    (("hyponym", "dog", "animal"), ("--columns", "a"), "give the file by --corpus"),
    (("hyponym", "dog", "animal"), ("--input-format", "csv"), "give the file by --corpus"),
    (("entails", "a", "b", "--estimator", "paper"), ("--top", "7"), "give another --estimator"),
    (("matrix", "own.csv"), ("--tile", "7"), "a .npy file, --above and --nearest"),
    *(
        (command, option, "give --ray and an address")
        for command in (("batch", "own.csv", "out.csv"), ("embed", "own.csv"), COMMANDS["sts"])
        for option in (
            ("--workers", "1"),
            ("--gpus-per-worker", "1"),
            ("--cpus-per-worker", "1"),
            *([] if command == COMMANDS["sts"] else [("--partition-rows", "9")]),
        )
    ),
    (
        ("batch", "own.csv", "out", "--ray", "local"),
        ("--errors", "e.jsonl"),
        "a batch without --ray",
    ),
    (
        ("eval", "sts", "--data", "hub", "--tasks", "stsb-dev,sts12-test"),
        ("--columns", "a,b,c,d"),
        "is of files of your own",
    ),
    (COMMANDS["sts"], ("--unlabelled", "own.csv"), "give a --method of"),
    (("eval", "ablate", "--data", "hub"), ("--columns", "a,b,c,d"), "is of files of your own"),
]


@pytest.mark.parametrize(("command", "option", "remedy"), WITHOUT_USE)
def test_an_option_without_use_is_refused(
    command: Sequence[str], option: Sequence[str], remedy: str, folder: Path
) -> None:
    """They were ignored in silence."""
    (said,) = refusal(*command, *option).splitlines()
    assert f"{option[0]} is" in said or f"{option[0]} says" in said
    assert remedy in said
    assert "leave it out" in said
    assert [path.name for path in folder.iterdir()] == ["own.csv"]
