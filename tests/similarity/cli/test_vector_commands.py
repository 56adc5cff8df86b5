import csv
import json
import lzma
import math
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from similarity.cli.vector_tables import IMPLIED_COLUMNS, PART_WORDS, times
from similarity.models.loader import load_model
from similarity.prompts import PROMPTS, Prompt
from similarity.storage.journal import Journal
from similarity.storage.parts import parts_folder
from similarity.vectors import ProfileConfig, load
from similarity.vectors.meaning import BATCH_TEXTS
from tests.conftest import ROOT
from tests.similarity.vectors.conftest import sentences

FIT = ("--tokens", "64", "--model", "toy")
TEXTS = sentences(5, seed=5)


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, arguments, **options)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("fitted")
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.xz"
    plain.write_text("".join(f"{text}\n" for text in sentences(40)), encoding="utf-8")
    packed.write_bytes(lzma.compress("".join(f"{t}\n" for t in sentences(40, 1)).encode()))
    corpora = ("--corpus", str(plain), "--corpus", str(packed), "--per-file", "30")
    result = run("fit", *corpora, "--out", str(tmp_path / "vectors"), *FIT)
    assert result.exit_code == 0, result.output
    # Those of the tokens, and those of the trigrams.
    assert "60 different texts hardly show what is usual among yours; give 100" in result.stderr
    assert "fitted to 60 texts: 1152 coordinates (profile 64, examples 64, trigrams 1024), in" in (
        result.stdout
    )
    return tmp_path


@pytest.fixture
def folder(fitted: Path, tmp_path: Path) -> Path:
    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "vectors"


def test_texts_that_are_given_again_are_not_more_texts(tmp_path: Path) -> None:
    """The same file three times had enough."""
    corpus = tmp_path / "a.txt"
    corpus.write_text("".join(f"{text}\n" for text in sentences(40)), encoding="utf-8")
    corpora = ("--corpus", str(corpus)) * 3
    result = run("fit", *corpora, "--out", str(tmp_path / "vectors"), *FIT)
    assert result.exit_code == 0, result.output
    assert "40 different texts hardly show what is usual among yours; give 100" in result.stderr


@pytest.mark.longer
def test_settings_of_a_fit(folder: Path, tmp_path: Path) -> None:
    corpus = ("--corpus", str(tmp_path / "a.txt"), "--out", str(folder), *FIT)
    assert run("fit", *corpus, "--trigrams", "0", "--shrinkage", "0.3").exit_code == 0
    groups = load(folder, load_model("toy")).config.groups
    assert [group.name for group in groups] == ["profile", "examples"]
    for group, prompt in zip(groups, ("essence", "examples"), strict=True):
        assert isinstance(group, ProfileConfig)
        assert (group.tokens, group.shrinkage) == (64, 0.3)
        assert group.prompt == PROMPTS[prompt]
    assert run("fit", *corpus, "--trigrams", "2", "--prompt-after", " is").exit_code == 0
    profile, trigrams = load(folder, load_model("toy")).config.groups
    assert isinstance(profile, ProfileConfig)
    assert (profile.prompt, trigrams.weight) == (Prompt(after=" is"), 2)


@pytest.mark.longer
def test_a_fit_says_what_was_too_short_for_it(tmp_path: Path) -> None:
    corpus, out = tmp_path / "names.txt", str(tmp_path / "mine")
    corpus.write_text("".join(f"saddle {i}\n" for i in range(9)), encoding="utf-8")
    command = ("fit", "--corpus", str(corpus), "--out", out, *FIT)
    refused = run(*command)
    assert refused.exit_code == 2
    said = "left out, of fewer than 12 or more than 400 characters: 9 of the sentences"
    assert said in refused.stderr
    corpus.write_text("".join(f"{text}\n" for text in ["saddle 1", *sentences(9)]), "utf-8")
    fitted = run(*command)
    assert fitted.exit_code == 0
    assert "characters: 1 of the sentences" in fitted.stderr


def test_profile_of_one_text(folder: Path) -> None:
    command = ("profile", "zzzz", "--top", "1", *options(folder))
    (word,) = json.loads(run(*command, "--json").stdout)["words"]
    assert word["beyond_usual"] > 0 > word["log_probability"]
    assert word["word"] in run(*command).stdout


def test_ratios_are_read_at_a_glance() -> None:
    ratios = (0.5, 3.14159, 21.4, 1234.5, 7e5, 3.56e6, 2e9)
    found = [times(math.log(ratio)) for ratio in ratios]
    assert found == ["×0.5", "×3.1", "×21", "×1,200", "×700,000", "×3.6 million", "×2 billion"]


def options(folder: Path) -> tuple[str, ...]:
    return ("--model", "toy", "--vectors", str(folder))


def test_embed_writes_an_array_or_lines(folder: Path, tmp_path: Path) -> None:
    expected = load(folder, load_model("toy")).only("profile", "examples").encode(TEXTS)
    file, out = tmp_path / "texts", tmp_path / "vectors.npy"
    file.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    assert run("embed", str(file), "--out", str(out), *options(folder)).exit_code == 0
    rows = np.load(out)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, expected)
    printed = run("embed", "-", *options(folder), input="\n".join(TEXTS))
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    # The same numbers as in the array.
    np.testing.assert_array_equal(np.array([line["vector"] for line in lines], "f4"), expected)
    short = run("embed", "-", "--dimensions", "4", *options(folder), input="a\n")
    assert len(json.loads(short.stdout)["vector"]) == 4


@pytest.mark.parametrize("preset", ["fast", "meaning", "best"])
def test_the_cosine_of_embedded_texts_is_the_score_of_the_preset(
    preset: str, folder: Path, tmp_path: Path
) -> None:
    out, asked = tmp_path / "vectors.npy", ("--preset", preset, *options(folder))
    made = run("embed", "-", "--out", str(out), *asked, input="\n".join(TEXTS))
    assert made.exit_code == 0, made.output
    cosines = np.load(out) @ np.load(out).T
    score = json.loads(run("compare", *asked, *TEXTS[:2], "--json").stdout)
    assert 1 - cosines[0, 1] == pytest.approx(score["distance"], abs=1e-6)


def test_an_index_is_asked_by_the_preset_it_was_built_with(folder: Path, tmp_path: Path) -> None:
    built = str(tmp_path / "index")
    asked = ("index", "build", "-", "--out", built, "--preset", "best", *options(folder))
    assert run(*asked, input="\n".join(TEXTS)).exit_code == 0
    found = run("index", "query", built, TEXTS[0], "--json", *options(folder))
    assert found.exit_code == 0, found.output
    near = json.loads(found.stdout)["hits"][1]
    pair = run("compare", TEXTS[0], near["text"], "--preset", "best", "--json", *options(folder))
    # Vectors in an index are of half precision.
    assert 1 - near["similarity"] == pytest.approx(json.loads(pair.stdout)["distance"], abs=2e-3)


def test_vectors_are_of_a_preset_that_has_some(folder: Path) -> None:
    by_samples = run("embed", "-", "--preset", "paper", *options(folder), input="a")
    assert by_samples.exit_code == 2
    assert "'trajectories', 'fast', 'meaning', 'best'" in by_samples.output
    missing = run("embed", "-", "--preset", "trajectories", *options(folder), input="a")
    assert missing.exit_code == 2
    assert "these vectors have profile, examples, trigrams only" in missing.output
    # What it says to do can be done.
    assert "use preset fast or meaning or best, or the vectors that ship with the" in missing.output
    assert "trajsim fit reads no trajectories" in missing.output
    for preset in ("fast", "meaning", "best"):
        given = ("--preset", preset, *options(folder))
        assert run("embed", "-", *given, input="a").exit_code == 0


@pytest.mark.parametrize("command", [("embed",), ("index", "build")])
def test_a_text_that_is_refused_leaves_nothing_that_bars_the_mended_file(
    command: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    """It may be the last of many: none is read before all of them can be."""
    file, out = tmp_path / "texts", tmp_path / "out.npy"
    lines = [f"text {i}" for i in range(BATCH_TEXTS)]
    file.write_text("\n".join([*lines, "word " * 9000]))
    before = sorted(tmp_path.iterdir())
    refused = run(*command, str(file), *options(folder), "--out", str(out))
    assert (refused.exit_code, "too long" in refused.stderr) == (2, True), refused.output
    assert sorted(tmp_path.iterdir()) == before
    printed = run("embed", str(file), *options(folder))
    assert (printed.exit_code, printed.stdout) == (2, "")
    file.write_text("\n".join([*lines, "word"]))
    assert run(*command, str(file), *options(folder), "--out", str(out)).exit_code == 0


def test_what_differs_from_what_was_begun_is_reported(folder: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "texts", tmp_path / "out.npy"
    file.write_text("a\n")
    parts = parts_folder(out)
    header = {"kind": "matrix", "model": {"dtype": "other"}}
    with Journal.open(parts / "journal.jsonl", header):
        pass
    refused = run("embed", str(file), *options(folder), "--out", str(out))
    assert 'kind is "vectors", there "matrix"; ' in refused.stderr
    assert 'model.dtype is "float64", there "other"' in refused.stderr


def test_vectors_are_not_kept_under_the_name_of_the_general_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("\n".join(sentences(60)))
    command = ("fit", "--corpus", "corpus.txt", "--model", "toy", "--tokens", "8", "--out")
    for name in ("general", "general/"):
        result = run(*command, name)
        assert result.exit_code == 2
        assert f"'general' means no folder where it is read; name ./{name}" in result.stderr
        assert not Path("general").exists()
    assert run(*command, "./general").exit_code == 0
    assert run("embed", "corpus.txt", "--model", "toy", "--vectors", "./general").exit_code == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--tokens", "0"), "does not give next_states here; .*, or set tokens to a number, such"),
        (("--tokens", "2"), "tokens 2 are too few: .* give more, such as 512"),
        (("--shrinkage", "0"), "as a shrinkage of 0 needs; raise the shrinkage$"),
    ],
)
def test_a_fit_that_cannot_be_is_refused_in_words_of_its_options(
    option: tuple[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(sentences(60)))
    corpus, out = str(tmp_path / "corpus.txt"), str(tmp_path / "vectors")
    result = run("fit", "--corpus", corpus, "--out", out, "--model", "toy", *option)
    assert result.exit_code in (1, 2)
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert re.search(said, error)
    assert "Config" not in error
    assert "rank" not in error


def test_a_folder_without_a_name_is_no_folder() -> None:
    for command in (("index", "build", "-"), ("fit", "--corpus", __file__)):
        refused = run(*command, "--out", "")
        assert refused.exit_code == 2
        assert "the name is empty; name a folder" in refused.stderr


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_embed_reads_tables_and_writes_them(name: str, folder: Path, tmp_path: Path) -> None:
    expected = load(folder, load_model("toy")).only("profile", "examples").encode(TEXTS)
    table, out = tmp_path / "texts.csv", tmp_path / name
    with table.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([["id", "sentence"], *enumerate(TEXTS)])
    done = run("embed", str(table), "--out", str(out), *options(folder))
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    if name == "out.jsonl":
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
    assert [row["text"] for row in rows] == TEXTS
    np.testing.assert_array_equal(np.array([row["vector"] for row in rows], "f4"), expected)


@pytest.mark.longer
@pytest.mark.parametrize("name", ["out.npy", "out.jsonl", "out.parquet"])
def test_embed_killed_for_good_goes_on(name: str, folder: Path, tmp_path: Path) -> None:
    """A process killed with -9 while another is refused, against one left alone."""
    if name == "out.parquet":
        pytest.importorskip("pyarrow")
    file, whole, killed = tmp_path / "many", tmp_path / f"whole-{name}", tmp_path / name
    lines = [f"{text} {i}" for i in range(1200) for text in TEXTS]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    command = ("embed", str(file), *options(folder), "--dimensions", "8", "--out")
    assert run(*command, str(whole)).exit_code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "similarity", *command, str(killed)], cwd=ROOT
    )
    journal = parts_folder(killed) / "journal.jsonl"
    # The header, and the first part.
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert process.poll() is None
        time.sleep(0.005)
    refused = run(*command, str(killed))
    process.kill()
    process.wait()
    assert "another process is writing" in refused.stderr
    assert not killed.exists()
    done = {path.name: path.stat().st_mtime_ns for path in journal.parent.glob("*.part")}
    assert 0 < len(done) < len(lines) / BATCH_TEXTS
    other = run("embed", str(file), *options(folder), "--dimensions", "9", "--out", str(killed))
    assert "dimensions" in other.stderr
    kept = {path.name: path.stat().st_mtime_ns for path in journal.parent.glob("*.part")}
    assert kept == done
    resumed = run(*command, str(killed))
    assert resumed.exit_code == 0, resumed.output
    assert killed.read_bytes() == whole.read_bytes()
    assert not journal.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("embed", "-", "--out", "out.csv"),
            "out.csv cannot be csv, as its ending has it; name a file that ends in .jsonl",
        ),
        (("embed", "-", "--out", "out"), "the ending of out is of no known format"),
        (("embed", "none.txt"), "cannot read none.txt: No such file"),
        (("embed", "-", "--out", ""), "the name of a file is empty"),
        (("embed", "-", "--out", "/proc/out.npy"), "cannot write /proc/out.npy"),
        (("embed", "-", "--out", "folder.npy"), "it is there and is no file; name a file"),
        (("index", "build", "-", "--out", "-"), "--out must be a folder"),
        (("index", "build", "-", "--out", "/proc/out"), "cannot write /proc/out: No such file"),
        (("fit", "--corpus", "corpus", "--out", "corpus/out"), "corpus is a file; name a folder"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "corpus").touch()
    for module in ("vector_commands", "index_commands"):
        monkeypatch.setattr(f"similarity.cli.{module}.open_model", lambda *_: 1 / 0)
    refused = run(*arguments, input="a\n")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert message in refused.stderr


def test_explain_says_what_made_the_score(folder: Path) -> None:
    command = ("explain", *TEXTS[:2], "--top", "2", *options(folder))
    content = json.loads(run(*command, "--json").stdout)
    compared = json.loads(run("compare", *TEXTS[:2], *options(folder), "--json").stdout)
    assert content["distance"] == compared["distance"]
    assert content["fingerprint"] == compared["fingerprint"]
    assert set(content["shares"]) == {"profile", "examples"}
    table = run(*command).stdout
    own = content["shares"]["profile"] / content["weights"]["profile"]
    line = next(line for line in table.splitlines() if line.startswith(" profile"))
    words = f"{PART_WORDS['profile']} 0.5000 {own:.4f} {content['shares']['profile']:+.4f}"
    assert " ".join(line.split()) == f"profile {words}"
    assert all(name in table for name in IMPLIED_COLUMNS)
    assert "2 words at most" in " ".join(table.split())
    word = content["implied"]["first"][0]
    assert f"{word['word']} {times(word['beyond_usual'][0])}" in table
    best = json.loads(run(*command, "--preset", "best", "--json").stdout)
    assert set(best["shares"]) == {"profile", "examples", "trigrams"}
    assert len(best["overlap"]) == 2
    paper = json.loads(run("explain", *TEXTS[:2], "--model", "toy", "-n", "2", "--json").stdout)
    assert (paper["method"], content["method"]) == ("trajectories", "vectors")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "-", "--model", "toy", "--dimensions", "0"), "dimensions must be between 1"),
        (
            ("embed", "-", "--model", "toy", "--vectors", "nowhere"),
            "trajsim fit makes such a folder",
        ),
        (
            ("fit", "--corpus", __file__, "--out", "x", "--tokens", "1", "--model", "toy"),
            "at least 2",
        ),
        (
            ("fit", "--corpus", __file__, "--out", "x", "--shrinkage", "2", *FIT),
            "shrinkage must be",
        ),
        (
            ("fit", "--corpus", __file__, "--out", "x", "--trigrams", "-1", *FIT),
            "trigrams must be at least 0, got -1",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments, input="a text\n")
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_presets_choose_how_to_compare(folder: Path, tmp_path: Path) -> None:
    model, vectors = ("--model", "toy"), ("--vectors", str(folder))
    general = json.loads(run("compare", *model, *TEXTS[:2], "--json").stdout)
    assert general["fingerprint"]["settings"]["distance"] == "vector-cosine"
    best = run("compare", *model, *vectors, *TEXTS[:2], "--json")
    distance = json.loads(best.stdout)["distance"]
    assert "trajectories" not in json.loads(best.stdout)
    asked = run("compare", *model, *vectors, "--preset", "meaning", *TEXTS[:2], "--json")
    assert asked.stdout == best.stdout
    table = run("compare", *model, *vectors, *TEXTS[:2]).stdout
    assert f"{distance:.4f}" in table
    assert "fitted to 60 texts" in table

    texts, lines, out = (tmp_path / name for name in ("texts", "lines", "out"))
    texts.write_text("\n".join(TEXTS[:2]), encoding="utf-8")
    matrix = json.loads(run("matrix", *model, *vectors, str(texts), "--json").stdout)
    assert matrix["distances"] == [[0, distance], [distance, 0]]
    items: list[dict[str, Any]] = [{"pair": TEXTS[:2]}, {"texts": TEXTS[:2]}, {"pair": ["a", ""]}]
    written = "".join(json.dumps({"custom_id": "", **item}) + "\n" for item in items)
    lines.write_text(written, encoding="utf-8")
    assert run("batch", str(lines), str(out), *model, *vectors).exit_code == 0
    pair, among = map(json.loads, out.read_text().splitlines())
    assert pair["distance"] == among["distances"][0][1] == distance
    assert "entailment" not in pair


@pytest.mark.longer
def test_settings_of_trajectories_ask_for_trajectories(folder: Path) -> None:
    pair = ("--model", "toy", *TEXTS[:2])
    for setting in (("-n", "20"), ("--interval", "0.9"), ("--no-full-stop",)):
        assert "trajectories" in run("compare", *pair, *setting).stdout
        for other in (("--vectors", str(folder)), ("--preset", "fast")):
            refused = run("compare", *pair, *setting, *other)
            assert refused.exit_code == 2
            assert "is a setting of trajectories" in refused.stderr
    refused = run("compare", *pair, "--preset", "paper", "--vectors", str(folder))
    assert "leave vectors out" in refused.stderr
    noted = run("compare", *pair, "-n", "5")
    assert "--n-trajectories is a setting of trajectories, so this is preset paper" in noted.stderr
    assert "the preset is meaning" in noted.stderr
    assert run("compare", *pair, "-n", "5", "--preset", "paper").stderr == ""
