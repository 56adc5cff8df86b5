"""A run: what it writes, that it survives, and its figures against a computation by hand."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.stats import rankdata

from eval import plan
from eval.cli import evaluate
from eval.methods import hidden, scorers
from eval.pair_files import read_pairs
from eval.runs import read_results
from eval.scores import NAME, read_scores
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.material import likelihood_matrix, sample
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from tests.conftest import ROOT

FIXTURE = Path(__file__).parent / "fixture.tsv"
OPTIONS = ("--data", "nowhere", "-n", "3", "-m", "5", "--resamples", "40")
FILES = ("results.json", NAME)


def arguments(out: Path, *more: str, model: str = "toy") -> list[str]:
    unsampled = ("--data", "nowhere", "--resamples", "40")
    given = unsampled if "--no-trajectories" in more else OPTIONS
    options = [*given, "--tasks", str(FIXTURE), "--out", str(out), "--model", model]
    return ["sts", *options, *more]


def invoke(out: Path, *more: str, model: str = "toy") -> Result:
    return CliRunner().invoke(evaluate, arguments(out, *more, model=model))


def files(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in FILES]


def results(out: Path) -> dict[str, Any]:
    return read_results(out)


def by_hand(model: LanguageModel, config: ComparisonConfig) -> tuple[list[float], float]:
    """Return the distance of each pair of the fixture and Spearman's correlation × 100.

    From the definitions alone: trajectories of both texts, mean log-probability a token of each
    under each text, mean absolute difference, correlation of the ranks.
    """
    distances = []
    pairs = read_pairs(FIXTURE)
    for pair in pairs:
        both = sample(model, [pair.first, pair.second], config)
        pooled = [trajectory.token_ids for sampled in both for trajectory in sampled]
        u, v = likelihood_matrix(model, [pair.first, pair.second], pooled, config)
        distances.append(sum(abs(a - b) for a, b in zip(u, v, strict=True)) / len(pooled))
    ranks = rankdata([-d for d in distances]), rankdata([pair.score for pair in pairs])
    first, second = (rank - rank.mean() for rank in ranks)
    return distances, float(100 * (first @ second) / np.sqrt(first @ first * second @ second))


def test_a_fit_to_few_texts_is_said(tmp_path: Path) -> None:
    """Nothing said that most lines stood in the pairs, so that few were left to fit to."""
    corpus = tmp_path / "corpus.txt"
    of_pairs = [pair.first for pair in read_pairs(FIXTURE)][:2]
    corpus.write_text("\n".join([*of_pairs, *(f"Text {i} of mine." for i in range(5))]))
    given = ("--no-trajectories", "--no-baselines", "--unlabelled", str(corpus))
    done = invoke(tmp_path / "out", *given, "--method", "tf-idf")
    assert done.exit_code == 0, done.output
    assert "2 of the 7 different texts of corpus.txt stand in the judged pairs too" in done.stderr
    assert "5 different texts hardly show what is usual among yours; give 100" in done.stderr
    assert results(tmp_path / "out")["unlabelled"]["left_out"] == 2
    assert "hardly show" not in invoke(tmp_path / "b", "--no-baselines").stderr


@pytest.mark.parametrize("name", ["toy", "embedded"])
def test_figures_by_hand(tmp_path: Path, name: str) -> None:
    assert invoke(tmp_path, "--no-baselines", model=name).exit_code == 0
    model = load_model(name)
    distances, spearman = by_hand(model, ComparisonConfig.build(n_trajectories=3, max_tokens=5))
    lines = list(read_scores(tmp_path))
    np.testing.assert_allclose([-x["scores"]["trajectories"] for x in lines], distances, atol=1e-6)
    task = results(tmp_path)["tasks"][str(FIXTURE)]
    found = task["methods"]["trajectories"]["spearman"]
    assert found["all"]["value"] == pytest.approx(spearman)
    assert found["subsets"] == {
        "made": {"pairs": 6, "spearman": pytest.approx(spearman), "pearson": pytest.approx(
            100 * np.corrcoef([x["judgement"] for x in lines], [-d for d in distances])[0, 1]
        )}
    }  # fmt: skip


def test_what_a_run_reports(tmp_path: Path) -> None:
    result = invoke(tmp_path, "--log-likelihoods", "--limit", "5", "--seeds", "7,8")
    assert result.exit_code == 0, result.output
    assert "word overlap" in result.stdout
    content = results(tmp_path)
    task = content["tasks"][str(FIXTURE)]
    assert (task["pairs"], task["whole"]) == (5, 6)
    assert "only 5 of the 6 pairs of" in result.stdout
    assert content["fingerprint"]["settings"]["sampling"]["n_trajectories"] == 3
    assert list(content["methods"])[:2] == ["trajectories", "trajectories, seed 8"]
    assert content["methods"]["trajectories"]["sampling"]["seed"] == 7
    # The toy model has no hidden states: that is said, and nothing made up.
    assert "give a model that is a network" in content["left_out"]["mean token"]
    assert "left out: mean token" in result.output
    (line, *_) = lines = list(read_scores(tmp_path))
    assert len(lines) == 5
    assert {"task", "index", "subset", "judgement", "scores", "log_likelihoods"} == line.keys()
    first, second = np.array(line["log_likelihoods"]["trajectories"])
    assert line["scores"]["trajectories"] == pytest.approx(-np.abs(first - second).mean())
    of_seeds = content["seeds"][str(FIXTURE)]
    assert of_seeds["mean"] == pytest.approx(np.mean(of_seeds["values"]))
    assert of_seeds["standard_deviation"] == pytest.approx(np.std(of_seeds["values"], ddof=1))
    assert content["averages"] == {}


def test_the_printed_object_is_the_written_one(tmp_path: Path) -> None:
    result = invoke(tmp_path, "--json")
    assert json.loads(result.stdout) == results(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _another_digit(sound: str) -> str:
    at = sound.index('"value": ') + len('"value": ')
    return f"{sound[:at]}9{sound[at:]}"


DAMAGES = {
    "a value is not what was written there": [_another_digit],
    "it is not whole": [
        lambda sound: sound[: len(sound) // 2],
        lambda sound: "",
        lambda sound: "[",
    ],
    "it has no JSON object in it": [lambda sound: "[]"],
}


@pytest.mark.parametrize(
    ("why", "damage"), [(why, d) for why, found in DAMAGES.items() for d in found]
)
def test_damaged_results_are_refused_and_made_anew(
    why: str, damage: Callable[[str], str], tmp_path: Path
) -> None:
    command = (tmp_path, "--no-baselines")
    assert invoke(*command).exit_code == 0
    path = tmp_path / "results.json"
    sound = path.read_text()
    path.write_text(damage(sound))
    for reads in (
        ["report", str(tmp_path), "--no-figures"],
        ["calibrate", str(tmp_path), "--out", str(tmp_path / "scale.json")],
    ):
        refused = CliRunner().invoke(main, ["eval", *reads])
        assert refused.exit_code == 2, refused.output
        (said,) = refused.stderr.splitlines()
        assert said.endswith(
            f"{path} is damaged: {why}; give the command of the run again, which writes it anew"
        )
    assert invoke(*command).exit_code == 0
    assert path.read_text() == sound


def test_of_a_damaged_journal_the_rest_is_computed_again(tmp_path: Path) -> None:
    command = (tmp_path, "--no-baselines")
    assert invoke(*command).exit_code == 0
    sound = files(tmp_path)
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = [line.replace(b'"scores"', b'"scored"') for line in lines]
    number = 1 + next(i for i, line in enumerate(lines) if line != damaged[i])
    journal.write_bytes(b"".join(damaged))
    refused = CliRunner().invoke(main, ["eval", *arguments(*command)])
    assert refused.exit_code == 2
    assert f"line {number} of {journal} is damaged" in refused.stderr
    assert "delete this line and every line after it" in refused.stderr
    journal.write_bytes(b"".join(damaged[: number - 1]))
    assert invoke(*command).exit_code == 0
    assert files(tmp_path) == sound


@pytest.mark.parametrize("name", [*FILES, "trajectories"])
def test_files_of_no_run_are_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    refused = CliRunner().invoke(main, ["eval", *arguments(tmp_path, "--no-baselines")])
    assert refused.exit_code == 2, refused.output
    assert f"{name} is there and journal.jsonl is not, so it is of no run" in refused.stderr
    assert (tmp_path / name).read_text() == "mine"


def test_a_run_goes_on_after_any_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CHUNK", 2)
    whole = tmp_path / "whole"
    assert invoke(whole).exit_code == 0
    journal = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert len(journal) > 6
    for kept in range(1, len(journal)):
        out = tmp_path / str(kept)
        (out / "trajectories").mkdir(parents=True)
        for file in (whole / "trajectories").iterdir():
            if int(file.stem) < kept:
                (out / "trajectories" / file.name).write_bytes(file.read_bytes())
        # What a killed process may leave behind: half a line.
        (out / "journal.jsonl").write_bytes(b"".join(journal[:kept]) + journal[kept][:9])
        assert invoke(out).exit_code == 0
        assert files(out) == files(whole)


def test_a_method_is_made_when_its_turn_comes_and_what_it_fitted_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"text number {i} of many\n" for i in range(40)), encoding="utf-8")
    out = tmp_path / "run"
    whitened = ("--no-baselines", "--method", "mean token, whitened")
    domain = ("--method", "best, of the domain")
    asked = (*whitened, *domain, "--unlabelled", str(texts))
    made: list[str] = []

    class Killed(BaseException):
        pass

    def journal() -> list[dict[str, Any]]:
        path = out / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()[1:]]

    def fit_whitening(*arguments: Any) -> Any:
        # What came before it is on disk.
        assert [(entry["method"], "scores" in entry) for entry in journal()] == [
            ("trajectories", False),
            ("trajectories", True),
        ]
        made.append("whitening")
        return fitted(*arguments)

    def fit(*arguments: Any) -> Any:
        made.append("vectors")
        raise Killed

    fitted = hidden.fit_whitening
    monkeypatch.setattr(hidden, "fit_whitening", fit_whitening)
    with monkeypatch.context() as context:
        context.setattr(scorers, "fit", fit)
        with pytest.raises(Killed):
            invoke(out, *asked, model="embedded")
    assert made == ["whitening", "vectors"]
    lines = journal()[:3]
    (out / "journal.jsonl").write_bytes(
        b"".join((out / "journal.jsonl").read_bytes().splitlines(keepends=True)[:4])
    )
    assert lines[-1]["method"] == "mean token, whitened"
    assert invoke(out, *asked, model="embedded").exit_code == 0
    assert made == ["whitening", "vectors"]
    for file in (out / "fitted").glob("*.npz"):
        file.write_bytes(file.read_bytes()[:-9])
    (tmp_path / "other").mkdir()
    (out / "fitted").rename(tmp_path / "other" / "fitted")
    monkeypatch.setattr(hidden, "fit_whitening", fitted)
    again = invoke(tmp_path / "other", *asked, model="embedded")
    assert again.exit_code == 0, again.output
    assert files(tmp_path / "other") == files(out)


def test_a_baseline_can_be_asked_for_alone(tmp_path: Path) -> None:
    asked = ("--no-baselines", "--method", "word overlap", "--method", "conditional likelihood")
    assert invoke(tmp_path / "some", *asked).exit_code == 0
    assert invoke(tmp_path / "all").exit_code == 0
    some, every = (results(tmp_path / name)["tasks"][str(FIXTURE)] for name in ("some", "all"))
    assert set(some["methods"]) == {"trajectories", "word overlap", "conditional likelihood"}
    assert some["methods"].items() <= every["methods"].items()


def test_the_sampled_trajectories_can_be_left_out(tmp_path: Path) -> None:
    asked = ("--no-trajectories", "--no-baselines", "--method")
    result = invoke(tmp_path, *asked, "word overlap")
    assert result.exit_code == 0, result.output
    assert set(results(tmp_path)["methods"]) == {"word overlap"}
    assert not list(tmp_path.glob("trajectories/*"))
    nothing = invoke(tmp_path / "none", *asked[:2])
    assert "--no-trajectories leaves nothing to score by" in str(nothing.exception)
    # Of settings that did not apply nothing is said: neither in the file nor in the report.
    assert results(tmp_path)["fingerprint"]["settings"] == {}
    report = CliRunner().invoke(evaluate, ["report", str(tmp_path), "--out", str(tmp_path / "r")])
    assert report.exit_code == 0, report.output
    text = (tmp_path / "r" / "report.md").read_text()
    head = text[: text.index("## Spearman")]
    assert "| fingerprint |" in head
    for name in ("n", "m", "temperature", "distance", "seed", "prompt", "full stop"):
        assert f"| {name} |" not in head
    assert "n trajectories a text" not in text


def test_a_prompt_that_applied_is_reported_without_settings_of_trajectories(tmp_path: Path) -> None:
    asked = ("--no-trajectories", "--no-baselines", "--method", "conditional likelihood")
    assert invoke(tmp_path, *asked).exit_code == 0
    fingerprint = results(tmp_path)["fingerprint"]
    assert list(fingerprint["settings"]) == ["prompt"]
    # Other settings of trajectories would change nothing.
    refused = invoke(tmp_path / "more", *asked, "-n", "7")
    assert "--n-trajectories is a setting of trajectories" in str(refused.exception)


def test_a_prompt_beside_none_is_a_run_with_that_prompt(tmp_path: Path) -> None:
    asked = ("--no-baselines", "--no-full-stop", "--method", "trajectories, implies")
    assert invoke(tmp_path / "both", *asked).exit_code == 0
    alone = ("--no-baselines", "--no-full-stop", "--prompt", "implies")
    assert invoke(tmp_path / "alone", *alone).exit_code == 0
    both, implies = results(tmp_path / "both"), results(tmp_path / "alone")
    assert both["methods"]["trajectories, implies"] == implies["methods"]["trajectories"]
    scores = [line["scores"] for line in read_scores(tmp_path / "both")]
    assert [x["trajectories, implies"] for x in scores] == [
        line["scores"]["trajectories"] for line in read_scores(tmp_path / "alone")
    ]
    assert all(x["trajectories, implies"] != x["trajectories"] for x in scores[:3])
    # Another prompt is no other seed.
    assert both["seeds"] == {}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("--distance", "l2"), "settings.distance is"),
        (("--limit", "4"), "pairs is 4, there 6"),
        (("--no-baselines",), "methods.joint likelihood"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, changed: tuple[str, ...], message: str) -> None:
    assert invoke(tmp_path).exit_code == 0
    before = files(tmp_path)
    refused = CliRunner().invoke(evaluate, arguments(tmp_path, *changed))
    assert message in str(refused.exception)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "wrong",
    [
        ("--limit", "1"),
        ("--seeds", "1,1"),
        ("--seeds", "a"),
        ("--columns", "a,b"),
        ("--resamples", "-1"),
        ("--resamples", "1"),
        ("--tasks", "sts99"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    assert "got" in str(invoke(tmp_path, *wrong).exception) or "allowed" in str(
        invoke(tmp_path, *wrong).exception
    )
    assert not (tmp_path / "journal.jsonl").exists()


def test_damaged_scores_are_made_anew_by_the_same_command(tmp_path: Path) -> None:
    """The message advised another folder."""
    command = (tmp_path, "--no-baselines")
    assert invoke(*command).exit_code == 0
    sound = files(tmp_path)
    (tmp_path / NAME).write_bytes(sound[1][:-1])
    report = CliRunner().invoke(evaluate, ["report", str(tmp_path), "--no-figures"])
    assert "give the command of the run again, which writes it anew" in str(report.exception)
    assert invoke(*command).exit_code == 0
    assert files(tmp_path) == sound


@pytest.mark.parametrize("columns", ["score", "score,sentence1", "a,b,c,d,e"])
@pytest.mark.parametrize("command", ["sts", "ablate"])
def test_too_few_or_many_columns_are_refused(tmp_path: Path, command: str, columns: str) -> None:
    """The names that were not given were taken for the usual ones."""
    task = "--tasks" if command == "sts" else "--task"
    given = [command, "--data", ".", task, str(FIXTURE), "--out", str(tmp_path / "run")]
    refused = CliRunner().invoke(evaluate, [*given, "--model", "toy", "--columns", columns])
    wants = f"--columns wants score, two texts and maybe a subset, got {columns!r}"
    assert wants in str(refused.exception)
    assert not (tmp_path / "run").exists()


def test_the_name_of_a_column_may_have_commas(tmp_path: Path) -> None:
    task, out = tmp_path / "judged.csv", tmp_path / "run"
    rows = "".join(f"{i},text {i} of many,another text {i % 3}\n" for i in range(6))
    task.write_text(f'points,"note, a",note b\n{rows}')
    hint = 'a name that has a comma stands in quotation marks: "note, a"'
    refused = invoke(out, "--tasks", str(task), "--columns", "points,note,note b")
    assert hint in str(refused.exception)
    split = invoke(out, "--tasks", str(task), "--columns", "points,note, a,note b,part")
    assert "wants score, two texts and maybe a subset, got" in str(split.exception)
    assert "a name that has a comma stands in quotation marks" in str(split.exception)
    # Semicolons are found here too.
    task.write_text(f"points;note, a;note b\n{rows.replace(',', ';')}")
    done = invoke(out, "--tasks", str(task), "--columns", 'points,"note, a",note b')
    assert done.exit_code == 0, done.output


@pytest.mark.longer
def test_killed_and_beside_another(tmp_path: Path) -> None:
    """A process killed with -9 in the midst of it, and two at once on one folder."""
    task = tmp_path / "long.tsv"
    rows = [f"x\t{i % 6}\ttext {i} of many\tanother text {i % 9}" for i in range(700)]
    task.write_text("subset\tscore\tsentence1\tsentence2\n" + "\n".join(rows))

    def command(out: Path) -> list[str]:
        program = [sys.executable, "-m", "similarity", "eval", "sts", *OPTIONS, "--model", "toy"]
        return [*program, "--tasks", str(task), "--out", str(out)]

    out = tmp_path / "killed"
    for entries in (1, 3):
        with subprocess.Popen(command(out), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            wait_for_entries(out / "journal.jsonl", entries, process)
            # Not while a second one asks for the folder: on a busy machine it could end first.
            process.send_signal(signal.SIGSTOP)
            second = subprocess.run(command(out), cwd=ROOT, capture_output=True, check=False)
            process.kill()
        assert second.returncode == 2
        assert b"another process is writing" in second.stderr
    finished = subprocess.run(command(out), cwd=ROOT, capture_output=True, text=True, check=True)
    assert "going on: " in finished.stderr
    subprocess.run(command(tmp_path / "whole"), cwd=ROOT, capture_output=True, check=True)
    assert files(out) == files(tmp_path / "whole")


def wait_for_entries(journal: Path, entries: int, process: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") > entries):
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_real_task(tmp_path: Path, sts_data: Path) -> None:
    options = ["--data", str(sts_data), "--limit", "40", "-n", "2", "-m", "4", "--model", "toy"]
    out = ["--out", str(tmp_path)]
    result = CliRunner().invoke(evaluate, ["sts", *options, *out, "--resamples", "40"])
    assert result.exit_code == 0, result.output
    averages, behind = (results(tmp_path)[name] for name in ("averages", "average_behind"))
    assert averages["word overlap"]["spearman"] > averages["trajectories"]["spearman"]
    assert len(averages["trajectories"]["tasks"]) == 7
    for method, found in behind["all"].items():
        difference = averages[method]["spearman"] - averages[behind["best"]]["spearman"]
        assert found["value"] == pytest.approx(difference)
        assert found["low"] <= found["value"] <= found["high"] <= 100


def test_a_text_that_is_too_long_is_named_by_its_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    long = "the red car " * 350
    Path("own.csv").write_text(f"score,sentence1,sentence2\n1,a,b\n2,c,{long}\n")
    Path("labelled.csv").write_text(
        f"label,sentence1,sentence2\nentailment,a car,b\nneutral,c,{long}\nentailment,d,e\n"
    )
    for arguments, place in (
        (("eval", "sts", "--data", ".", "--tasks", "own.csv", "-n", "2"), "pair 2 of own.csv"),
        (("eval", "entailment", "labelled.csv"), "pair 2 of labelled.csv"),
    ):
        result = CliRunner().invoke(main, [*arguments, "--model", "toy"])
        assert result.exit_code == 2
        assert f"Error: {place}: the text that begins 'the red car" in result.stderr
        # What has no --truncate does not advise it.
        assert "truncate" not in result.stderr


@pytest.mark.parametrize("second", ["fixture.tsv", "./fixture.tsv", "../eval/fixture.tsv"])
def test_a_task_that_is_named_twice_is_refused(tmp_path: Path, second: str) -> None:
    both = f"{FIXTURE},{FIXTURE.parent}/{second}"
    refused = invoke(tmp_path, "--tasks", both)
    assert "names one task twice" in str(refused.exception)


def test_seeds_without_trajectories_are_refused(tmp_path: Path) -> None:
    refused = invoke(tmp_path, "--no-trajectories", "--seeds", "0,1", "--method", "fast")
    assert "leaves --seeds nothing to sample" in str(refused.exception)


def test_a_run_of_which_all_methods_are_left_out_says_why(tmp_path: Path) -> None:
    """It ended in a trace of calls."""
    more = ("--no-trajectories", "--no-baselines", "--method", "best, of the domain")
    for _ in range(2):
        refused = CliRunner().invoke(main, ["eval", *arguments(tmp_path, *more)])
        assert refused.exit_code == 2, refused.output
        (said,) = refused.stderr.splitlines()[-1:]
        assert "no method is left to score by, of best, of the domain: " in said
    assert not (tmp_path / "results.json").exists()
