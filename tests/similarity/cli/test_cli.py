import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from similarity import pipeline
from similarity.cli.main import main
from tests.conftest import ROOT

TOY = ("--model", "toy", "-n", "3", "-m", "5")


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, arguments, **options)


def printed_json(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_compare_prints_one_object() -> None:
    content = printed_json("compare", *TOY, "a red car", "the sea")
    assert {"similarity", "distance", "fingerprint"} <= content.keys()
    assert 0 < content["similarity"] < 1
    assert len(content["trajectories"]) == 6
    assert content["fingerprint"]["model"]["name"] == "toy"


def test_identical_texts() -> None:
    text = "A man is playing a guitar."
    content = printed_json("compare", *TOY, text, text)
    assert (content["distance"], content["similarity"]) == (0, 1)


def test_the_same_command_gives_the_same_bytes() -> None:
    command = ["-m", "similarity", "compare", "--json", *TOY, "a red car", "犬 \u00fc"]
    outputs = {
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1
    assert outputs.pop().isascii()


def test_tables_for_people() -> None:
    assert "similarity  1.0000" in run("compare", *TOY, "a", "a.").stdout
    explained = run("explain", *TOY, "--top", "2", "[bold]a", "b").stdout
    assert "difference" in explained
    assert explained.count(" …") + explained.count(" ⏹") - explained.count(". ⏹:") == 2


@pytest.mark.parametrize("top", [1, 2, 3, 4, 5, 6])
def test_the_sign_of_an_end_is_explained_where_it_is(top: int) -> None:
    command = ("explain", *TOY, "-n", "3", "--top", str(top), "a red car", "the sea")
    rows = printed_json(*command)["continuations"]
    ended = {(row["text"], row["source"]) for row in rows if row["ended"]}
    table = run(*command).stdout
    assert table.count(" ⏹ ") == len(ended)
    assert ("⏹: the model ended the text there" in " ".join(table.split())) == bool(ended)


def test_explain_orders_by_what_weighs_most() -> None:
    rows = printed_json("explain", *TOY, "--top", "4", "a red car", "the sea")["continuations"]
    gaps = [abs(first - second) for first, second in (r["log_likelihoods"] for r in rows)]
    assert len(gaps) == 4
    assert gaps == sorted(gaps, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("compare", "", "b"), "a text is empty or only white space", 2),
        (("compare", "a", "b\ud800"), "not valid Unicode", 2),
        (("compare", "a" * 5000, "b"), "tokens too long", 2),
        (
            ("compare", "a", "b", "-n", "0"),
            "'--n-trajectories' / '-n': 0 is not in the range 1<=x<=10000",
            2,
        ),
        (
            ("compare", "a", "b", "-m", "5000"),
            "'--max-tokens' / '-m': 5000 is not in the range 1<=x<=4096",
            2,
        ),
        (("compare", "a", "b", "--distance", "l3"), "'l3' is not one of 'l1', 'l2'", 2),
        (("compare", "a", "b", "--prompt", "implies", "--prompt-after", "x"), "exclude each", 2),
        (("explain", "a", "b", "--top", "0"), "--top must be at least 1", 2),
        (("matrix", "no-such-file"), "cannot read no-such-file: No such file", 2),
        (("matrix", "BINARY"), "BINARY line 2: the line is not UTF-8 at byte 1", 2),
        (("matrix", "EMPTY"), "EMPTY has no texts", 2),
        (("compare", "a"), "Missing argument 'SECOND'", 2),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: tuple[str, ...],
    message: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("BINARY").write_bytes(b"a\n\xff\n")
    Path("EMPTY").write_text("")
    result = run(*arguments, "--model", "toy")
    assert result.exit_code == code
    assert result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last


def test_a_continuation_that_was_sampled_again_stands_once_with_its_count() -> None:
    # At this temperature the toy says the same after each text, nearly always.
    options = ("--temperature", "0.02", "--score-law", "sampling", "-n", "6", "-m", "2")
    table = run("explain", "--model", "toy", *options, "--top", "12", "a", "b").stdout
    rows = [line for line in table.splitlines() if "times)" in line]
    assert rows
    shown = printed_json("explain", "--model", "toy", *options, "--top", "12", "a", "b")
    different = {(one["text"], one["ended"]) for one in shown["continuations"]}
    counts = [sum(one["counts"]) for one in shown["continuations"]]
    assert len(different) == len(counts)
    assert sum(counts) == 12
    assert len(rows) == sum(count > 1 for count in counts)


def test_as_many_continuations_are_shown_as_there_are_different_ones() -> None:
    options = ("--temperature", "0.02", "--score-law", "sampling", "-n", "6", "-m", "2")
    every = printed_json("explain", "--model", "toy", *options, "--top", "12", "a", "b")
    few = printed_json("explain", "--model", "toy", *options, "--top", "2", "a", "b")
    assert few["continuations"] == every["continuations"][:2]
    assert any(all(one["counts"]) for one in every["continuations"])
    assert "both" in run("explain", "--model", "toy", *options, "a", "b").stdout


@pytest.mark.parametrize("command", ["compare", "explain"])
def test_a_text_is_refused_before_a_model_is_loaded(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("similarity.cli.compare_commands.open_model", lambda *_: 1 / 0)
    result = run(command, "a", " \n")
    assert result.exit_code == 2
    assert "a text is empty or only white space" in result.stderr


def test_unknown_model_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    result = run("compare", "a", "b", "--model", "no-such-model")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no model 'no-such-model'")
    assert len(result.stderr.splitlines()) == 1


def test_what_users_get_wrong_is_reported_in_their_words(tmp_path: Path) -> None:
    table, empty = tmp_path / "pairs.tsv", tmp_path / "empty.txt"
    table.write_text("left\tright\na\tb\n", "utf-8")
    empty.write_text("", "utf-8")
    output = str(tmp_path / "out.jsonl")
    for arguments, message in (
        (
            ("batch", str(table), output),
            "there are 'left', 'right': name the two of texts, and maybe that of the id, by",
        ),
        (("dedupe", str(tmp_path)), "empty.txt is empty: write a text into it, or remove it"),
        (("consensus", str(tmp_path)), f"{tmp_path} is a folder; give a file"),
        (("batch", str(tmp_path), output), f"{tmp_path} is a folder; give a file"),
        (("batch", "nofile.csv", output), "Error: cannot read nofile.csv: No such file"),
        (
            ("fit", "--corpus", str(empty), "--out", str(tmp_path / "fitted")),
            "the corpus has too few texts that the model can take: 0",
        ),
        (("calibrate", "--pairs", str(table)), "no columns of texts named text1/text2"),
    ):
        result = run(*arguments, "--model", "toy")
        assert result.exit_code == 2, arguments
        assert message in result.stderr


def test_commands_of_other_packages_are_found() -> None:
    listed = run("--help").stdout
    for name in ("compare", "explain", "matrix", "batch", "serve", "eval"):
        assert f"\n  {name} " in listed
        assert run(name, "--help").exit_code == 0


def test_errors_that_are_not_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "sample_texts", lambda *_: 1 / 0)
    assert isinstance(run("compare", *TOY, "a", "b").exception, ZeroDivisionError)


def test_an_error_of_the_system_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out.jsonl")

    monkeypatch.setattr("similarity.cli.compare_commands.diagnose", full)
    result = CliRunner().invoke(main, ["doctor", "--model", "toy"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: out.jsonl: No space left on device; free some space there, and give the same "
        "command again"
    ]
