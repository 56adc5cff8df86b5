import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from similarity import compare_matrix
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.groups.clustering import cluster, deduplicate
from similarity.models.toy import ToyModel
from similarity.tabular.texts import read_file

TOY = ("--model", "toy", "-n", "2", "-m", "3")
TEXTS = ["a red car", "the sea", "a red car.", "[b]x[/b]", "the sea!", "a red cab"]
MATRIX = compare_matrix(
    ToyModel(), TEXTS, config=ComparisonConfig.build(n_trajectories=2, max_tokens=3)
)


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, arguments, **options)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([["text"], *([text] for text in TEXTS)])
    return str(path)


def test_groups_as_rows_and_as_an_object(file: str) -> None:
    expected = cluster(MATRIX.similarities, k=3)
    printed = run("cluster", file, "--k", "3", *TOY)
    assert printed.exit_code == 0, printed.output
    rows = list(csv.DictReader(io.StringIO(printed.stdout), delimiter="\t"))
    members = [i for group in expected.groups for i in group]
    assert [int(row["number"]) - 1 for row in rows] == members
    assert [row["text"] for row in rows] == [TEXTS[i] for i in members]
    middles = [int(row["number"]) - 1 for row in rows if row["representative"] == "True"]
    assert middles == list(expected.representatives)
    content = json.loads(run("cluster", file, "--k", "3", *TOY, "--json").stdout)
    assert [tuple(group["members"]) for group in content["groups"]] == list(expected.groups)
    assert content["silhouette"] == expected.silhouette
    assert content["fingerprint"]["id"] == MATRIX.fingerprint.digest


def test_groups_by_threshold_on_a_page(file: str) -> None:
    expected = cluster(MATRIX.similarities, threshold=0.4)
    page = run("cluster", file, "--format", "table", *TOY).stdout
    assert f"{len(expected.groups)} groups of 6 texts" in page
    assert page.count("*") == len(expected.groups)
    assert all(text in page for text in TEXTS)


def test_groups_in_a_picture(file: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "groups.png"
    assert run("cluster", file, "--k", "2", "--plot", str(picture), *TOY).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_duplicates_are_left_out(file: str) -> None:
    expected = deduplicate(MATRIX.similarities, 0.99)
    kept = run("dedupe", file, "--threshold", "0.99", *TOY)
    assert kept.stdout.splitlines() == [TEXTS[group.kept] for group in expected]
    assert f"kept {len(expected)} of 6 texts" in kept.stderr
    assert len(expected) < 6
    content = json.loads(run("dedupe", file, "--threshold", "0.99", *TOY, "--json").stdout)
    left_out = {
        group["kept"]: [one["number"] for one in group["duplicates"]] for group in content["groups"]
    }
    assert left_out == {group.kept: list(group.others) for group in expected}
    printed = run("dedupe", file, "--threshold", "0.99", "--format", "csv", *TOY).stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["text"] for row in rows] == TEXTS
    assert [row["same_as"] for row in rows][2] == "1"
    left_out = {
        i: why for group in expected for i, why in zip(group.others, group.reasons, strict=True)
    }
    assert [row["reason"] for row in rows] == [left_out.get(i, "") for i in range(6)]
    page = run("dedupe", file, "--threshold", "0.99", "--format", "table", *TOY).stdout
    assert "a red car." in page
    assert "[b]x[/b]" not in page


def test_a_text_dropped_for_its_wording_says_so(tmp_path: Path) -> None:
    texts = ["Where is it?", "where  IS it?", "Where is it now?", "Something else."]
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"{text}\n" for text in texts))
    arguments = ("dedupe", str(file), "--threshold", "0", *TOY)
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").stdout)))
    assert [row["reason"] for row in rows] == ["", "wording", "similarity", "similarity"]
    (group,) = json.loads(run(*arguments, "--json").stdout)["groups"]
    reasons = [(one["number"], one["reason"]) for one in group["duplicates"]]
    assert reasons == [(1, "wording"), (2, "similarity"), (3, "similarity")]
    page = run(*arguments, "--format", "table").stdout
    assert [line.split()[2] for line in page.splitlines()[2:5]] == [
        "wording",
        "similarity",
        "similarity",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cluster", "--k", "2", "--threshold", "0.5"), "exclude each other"),
        (("cluster", "--k", "7"), "--k must be at most 6, the number of texts, got 7"),
        (("cluster", "--plot", "x.gif"), "--plot wants a file that ends in"),
        (("dedupe", "--out", "x.doc"), "the ending of x.doc is of no known format"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    arguments: tuple[str, ...], message: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("similarity.cli.cluster_commands.open_model", lambda *_: 1 / 0)
    name, *options = arguments
    refused = run(name, file, *options)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert message in refused.stderr


def test_texts_that_are_kept_are_as_they_were(tmp_path: Path) -> None:
    """Marks that other programs end lines with are characters of a text here."""
    texts = ["vertical\x0btab", "next\x85line", "line\u2028separator", "form\x0cfeed"]
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="")
    out = tmp_path / "kept.txt"
    done = run("dedupe", str(file), "--model", "toy", "--threshold", "1", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_text_that_is_kept_is_one_line_when_it_is_read_again(end: str, tmp_path: Path) -> None:
    """A carriage return in the first text ended lines of the output."""
    file, out = tmp_path / "texts.jsonl", tmp_path / "kept.txt"
    file.write_text("".join(f"{json.dumps(text)}\n" for text in (f"a red{end}car", "the sea")))
    done = run("dedupe", str(file), "--model", "toy", "--threshold", "1", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert read_file(str(out)).texts == ["a red car", "the sea"]


@pytest.mark.parametrize("command", ["cluster", "dedupe"])
def test_an_output_that_cannot_be_is_refused_before_a_model_is_loaded(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("similarity.cli.cluster_commands.open_model", lambda *_: 1 / 0)
    folder = tmp_path / "out.csv"
    folder.mkdir()
    refused = run(command, "-", "--out", str(folder), input="a\n")
    assert (refused.exit_code, "it is there and is no file" in refused.stderr) == (2, True)
