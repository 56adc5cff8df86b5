"""A text that is too long, at every command: what the refusal advises is there."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

# Longer than the toy's context of 4,096 bytes.
LONG = "the red car " * 350
# Of the commands that take texts; FILE has a long one, PAIRS and JUDGED too, OUT is a place.
COMMANDS = {
    "compare": ["compare", "a", LONG],
    "explain": ["explain", LONG, "a"],
    "entails": ["entails", "a", LONG],
    "entails by trajectories": [
        *("entails", "a", LONG),
        *("--estimator", "paper", "-n", "2", "-m", "3"),
    ],
    "consensus": ["consensus", "FILE", "--vectors", "VECTORS"],
    "consensus of a question": ["consensus", "FILE", "--question", "which?"],
    "profile": ["profile", LONG],
    "matrix": ["matrix", "FILE"],
    "batch": ["batch", "PAIRS", "OUT"],
    "cluster": ["cluster", "FILE"],
    "dedupe": ["dedupe", "FILE"],
    "embed": ["embed", "FILE"],
    "calibrate": ["calibrate", "--pairs", "JUDGED"],
    "index build": ["index", "build", "FILE", "--out", "OUT"],
    "index query": ["index", "query", "INDEX", LONG],
}
# Where the text is, of commands that read files.
PLACES = {
    **dict.fromkeys(
        ("consensus", "matrix", "cluster", "dedupe", "embed", "index build"), "file.txt line 2: "
    ),
    "consensus of a question": "file.txt line 2: ",
    "calibrate": "judged.csv line 2: ",
    "batch": "line 1: ",
}
# These take no texts but a corpus, of which long lines are left out, or words, or none at all.
OTHERS = {"fit", "hyponym", "doctor", "serve", "eval", "cache", "scales"}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("long")
    (folder / "file.txt").write_text(f"a red car\n{LONG}\nthe sea\n")
    (folder / "short.txt").write_text("a red car\nthe sea\n")
    (folder / "pairs.jsonl").write_text(json.dumps({"pair": ["a", LONG]}) + "\n")
    judged = [f"a,b {i},{i % 5}" for i in range(12)]
    (folder / "judged.csv").write_text("\n".join(["text1,text2,score", f"a,{LONG},1", *judged]))
    save(fit(ToyModel(), sentences(60), TOY_CONFIG), folder / "vectors")
    names = {"FILE": "file.txt", "PAIRS": "pairs.jsonl", "JUDGED": "judged.csv"}
    found = {name: str(folder / file) for name, file in names.items()}
    return found | {
        "VECTORS": str(folder / "vectors"),
        "INDEX": str(folder / "index"),
        "SHORT": str(folder / "short.txt"),
    }


def run(arguments: list[str], places: dict[str, str], out: Path) -> Result:
    known = places | {"OUT": str(out / "made.jsonl")}
    given = [known.get(argument, argument) for argument in arguments]
    return CliRunner().invoke(main, [*given, "--model", "toy"])


# With an option that is too long: what is to be shortened then.
OPTIONS = {
    "the question": ["consensus", "SHORT", "--vectors", "VECTORS", "--question", LONG],
    "the prompt": ["compare", "a", "b", "--preset", "paper", "--prompt-before", LONG],
    "the prompt of a matrix": ["matrix", "SHORT", "--preset", "paper", "--prompt-after", LONG],
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("truncate", [[], ["--truncate", "end"], ["--truncate", "start"]])
def test_an_option_that_is_too_long_is_named(
    name: str, truncate: list[str], places: dict[str, str], tmp_path: Path
) -> None:
    """Texts were to be shortened, or to be cut where they were already."""
    refused = run([*OPTIONS[name], *truncate], places, tmp_path)
    assert refused.exit_code == 2, refused.output
    assert refused.stderr.rstrip().endswith(f"; shorten {' '.join(name.split()[:2])}")


def test_a_fit_names_a_prompt_that_is_too_long(places: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(sentences(60)))
    given = ["--corpus", str(tmp_path / "corpus.txt"), "--out", str(tmp_path / "fitted")]
    refused = run(["fit", *given, "--prompt-before", LONG], places, tmp_path)
    assert refused.exit_code == 2, refused.output
    assert refused.stderr.rstrip().endswith("; shorten the prompt")


def test_every_command_is_tried() -> None:
    commands = set(main.list_commands(click.Context(main)))
    assert {name.split()[0] for name in COMMANDS} - {"index"} == commands - OTHERS - {"index"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_remedy_that_is_named_is_there(
    name: str, places: dict[str, str], tmp_path: Path
) -> None:
    arguments = COMMANDS[name]
    if arguments[0] == "index":
        pytest.importorskip("faiss")
        run(["index", "build", "SHORT", "--out", "INDEX"], places, tmp_path)
    refused = run(arguments, places, tmp_path)
    assert refused.exit_code == 2, refused.output
    assert "tokens too long" in refused.stderr
    assert "give --truncate end" in refused.stderr
    assert PLACES.get(name, "") in refused.stderr
    (tmp_path / "cut").mkdir()
    taken = run([*arguments, "--truncate", "end"], places, tmp_path / "cut")
    assert taken.exit_code == 0, taken.output


def test_a_long_word_is_sent_to_where_texts_are_compared() -> None:
    result = CliRunner().invoke(main, ["hyponym", "dog", LONG, "--model", "toy"])
    assert result.exit_code == 2
    assert "truncate" not in result.stderr
    assert (
        "a word has at most 200 here, and whole texts are compared by entailment" in result.stderr
    )
