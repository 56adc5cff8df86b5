"""The evaluation job: its command, as compose and the cluster start it, on data of one's own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from similarity.cli.main import main
from tests.docker.conftest import DOCKER


def of_compose() -> list[str]:
    content = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    service = content["services"]["evaluation"]
    command = [*service["entrypoint"], *service["command"]]
    return [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", part) for part in command]


def of_the_cluster() -> list[str]:
    path = DOCKER / "kubernetes" / "evaluation" / "job.yaml"
    job: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return [*container["command"], *container["args"]]


def benchmark(folder: Path, task: str, pairs: int) -> None:
    rows = ["subset\tscore\tsentence1\tsentence2"]
    rows += [f"all\t{i % 5}\tText {i}.\tText {i // 2}." for i in range(pairs)]
    (folder / f"{task}.tsv").write_text("\n".join(rows), encoding="utf-8")


@pytest.mark.parametrize("command", [of_compose(), of_the_cluster()], ids=["compose", "cluster"])
def test_the_command_runs(tmp_path: Path, command: list[str]) -> None:
    benchmark(tmp_path, "stsb-test", 1379)
    benchmark(tmp_path, "sick-r-test", 4927)
    program, *arguments = [
        part.replace("/data", str(tmp_path)).replace("/runs", str(tmp_path / "runs"))
        for part in command
    ]
    assert program == "trajsim"
    quick = ["--model=toy", "-n", "1", "-m", "1", "--limit", "20", "--resamples", "0"]
    result = CliRunner().invoke(main, [*arguments, *quick], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "runs" / "sts" / "results.json").read_text())
    assert list(results["tasks"]) == ["stsb-test", "sick-r-test"]
