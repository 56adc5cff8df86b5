"""An option that a message names is one of the command that was run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from service.settings import Settings
from similarity.cli.main import main
from tests.conftest import ROOT

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w-])")
# Another command, with an option of it.
OTHER = re.compile(r"trajsim ((?:[a-z]+ )+)(?:[A-Z]+ )*(--[a-z-]+[a-z])")
# Of programs that messages tell to start in another way.
FOREIGN = {
    *("--convert", "--enable-scale-out", "--force-reinstall", "--generation-config", "--head"),
    *("--logprobs-mode", "--max-logprobs", "--max-model-len", "--no-deps"),
    *("--no-enable-prefix-caching", "--pooler-config", "--runner"),
}


def options_of(command: click.Command) -> set[str]:
    return {"--help"} | {
        name for one in command.params for name in (*one.opts, *one.secondary_opts)
    }


def commands(command: click.Command = main, name: str = "") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            yield from commands(found, f"{name} {inner}".strip())
    else:
        yield name, command


COMMANDS = dict(commands())
ALL = {
    *(option for command in COMMANDS.values() for option in options_of(command)),
    *(f"--{name.replace('_', '-')}" for name in Settings.model_fields),
}
FILES: dict[str, Any] = {
    "other.csv": "a,b\nx,y\n",
    "comma.csv": '"a, b",c\nx,y\n',
    "other.tsv": "a\tb\nx\ty\n",
    "other.jsonl": '{"a": "x"}\n',
    "null.jsonl": '{"text": null, "text1": null, "text2": null, "score": 1}\n',
    "number.jsonl": "1\n",
    "broken.jsonl": "{\n",
    "quoted.csv": 'text,score\n"a,1\n',
    "short.csv": "text1,text2,score\na\n",
    "long.csv": f"text,text1,text2,sentence1,sentence2,score\n{','.join(['a ' * 9999] * 5)},1\n",
    "long.txt": "a " * 9999 + "\na\n",
    "empty.csv": "",
    "empty.txt": "",
    "one.txt": "a text\n",
    "same.csv": "score,sentence1,sentence2\n1,a,b\n1,c,d\n",
    "high.csv": "score,sentence1,sentence2\n1,a,b\n9,c,d\n",
    "sheet.xlsx": "",
    "numbers.npy": "",
    "unknown.dat": "a",
    "broken.parquet": "a",
}


def given(folder: Path) -> list[str]:
    """Make bad files of all kinds; return their names, that of a folder, and one of no file."""
    for name, content in FILES.items():
        (folder / name).write_text(content)
    pq.write_table(pa.table({"a": [b"x"]}), folder / "other.parquet")
    pq.write_table(pa.table({"text": [b"\xff"], "text1": [1]}), folder / "bytes.parquet")
    (folder / "folder").mkdir()
    for name in ("sits_test.csv", "sts12-test.tsv", "stsb-dev.tsv"):
        (folder / "folder" / name).write_text("a,b\nx,y\n")
    return [*FILES, "other.parquet", "bytes.parquet", "folder", "none.csv", "none", "-"]


GOOD = "score,sentence1,sentence2,label,text\n1,a cat,a dog,entailment,a\n3,sun,rain,neutral,b\n"
TEXTS = ["", " ", "a " * 9999, "photo.png", "folder", "\ud800"]
# Of each command that reads files: its arguments, in which FILE stands for a bad one.
READING = {
    "batch": ["FILE", "out.csv"],
    "calibrate": ["--texts", "FILE"],
    "calibrate judged": ["--pairs", "FILE"],
    "cluster": ["FILE"],
    "consensus": ["FILE"],
    "dedupe": ["FILE"],
    "embed": ["FILE"],
    "eval ablate": ["--data", ".", "--task", "FILE"],
    "eval ablate data": ["--data", "FILE"],
    "eval calibrate": ["FILE"],
    "eval cxc": ["--data", "FILE", "--images", "folder"],
    "eval entailment": ["FILE"],
    "eval hyponymy": ["FILE"],
    "eval report": ["FILE"],
    "eval sts": ["--data", ".", "--tasks", "FILE"],
    "eval sts data": ["--data", "FILE"],
    "eval sts unlabelled": ["--data", ".", "--tasks", "good.csv", "--unlabelled", "FILE"],
    "fit": ["--out", "vectors", "--corpus", "FILE"],
    "hyponym": ["a", "b", "--corpus", "FILE"],
    "index build": ["FILE", "--out", "index"],
    "index query": ["FILE", "a"],
    "matrix": ["FILE"],
    "matrix second": ["good.csv", "FILE"],
    "scales check": ["FILE"],
}


# Of each command that takes texts: its arguments, in which TEXT stands for a bad one.
COMPARING = {
    "compare": ["TEXT", "a"],
    "compare paper": ["a", "TEXT", "--preset", "paper"],
    "entails": ["a", "TEXT"],
    "entails paper": ["a", "TEXT", "--estimator", "paper"],
    "explain": ["TEXT", "a"],
    "hyponym": ["a", "TEXT"],
    "profile": ["TEXT"],
}


def command_of(name: str) -> str:
    return next(found for found in COMMANDS if f"{name} ".startswith(f"{found} "))


def unknown_options(said: str, name: str) -> set[str]:
    """Return the options in a message of a command that neither it nor the one named has."""
    own = options_of(COMMANDS[name])
    others = {
        option for of, option in OTHER.findall(said) if option in options_of(COMMANDS[of.strip()])
    }
    return set(OPTION.findall(said)) - own - others - FOREIGN


@pytest.mark.longer
@pytest.mark.parametrize("name", READING)
def test_what_a_bad_file_is_told_to_do_can_be_done(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, has_model = command_of(name), "eval calibrate eval report"
    (tmp_path / "good.csv").write_text(GOOD)
    said = []
    for file in given(tmp_path):
        arguments = [file if one == "FILE" else one for one in READING[name]]
        model = [] if command in has_model else ["--model", "toy"]
        result = CliRunner().invoke(main, [*command.split(), *arguments, *model], input="")
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        said += [line for line in result.stderr.splitlines() if result.exit_code]
    assert len(said) > 5, said
    assert unknown_options("\n".join(said), command) == set()


@pytest.mark.parametrize("name", COMPARING)
def test_what_a_bad_text_is_told_to_do_can_be_done(name: str) -> None:
    said = []
    for text in TEXTS:
        arguments = [text if one == "TEXT" else one for one in COMPARING[name]]
        result = CliRunner().invoke(main, [command_of(name), *arguments, "--model", "toy"])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        said += [line for line in result.stderr.splitlines() if result.exit_code]
    assert len(said) > 2, said
    assert unknown_options("\n".join(said), command_of(name)) == set()


def test_every_command_is_tried() -> None:
    """A new command is forgotten neither here nor above."""
    without = {
        *("cache clear", "cache info", "cache prune", "scales forget", "scales list"),
        *("doctor", "serve"),
    }
    tried = {command_of(name) for name in (*READING, *COMPARING)}
    assert tried | without == COMMANDS.keys()


def test_a_file_of_unlabelled_texts_has_no_option_for_its_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option --columns of the same command is of other files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(GOOD)
    for file in given(tmp_path):
        arguments = ["--data", ".", "--tasks", "good.csv", "--unlabelled", file, "--model", "toy"]
        result = CliRunner().invoke(main, ["eval", "sts", *arguments])
        if result.exit_code:
            assert not {"--columns", "--input-format"} & set(OPTION.findall(result.stderr))


@pytest.mark.longer
def test_every_option_that_a_message_names_is_there() -> None:
    texts = {
        (path.name, option)
        for folder in ("similarity", "eval", "service")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for option in OPTION.findall(node.value)
    }
    assert {(file, option) for file, option in texts if option not in ALL | FOREIGN} == set()
    assert {option for _, option in texts} >= FOREIGN
