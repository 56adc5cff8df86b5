import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from similarity.api import compare_matrix, compare_pairs, compare_to_tolerance
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.models.base import LanguageModel, TokenIds
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from similarity.models.wrapper import WrapperModel
from similarity.pipeline import TrajectoryScorer
from similarity.scorers import open_scorer
from similarity.texts.familiarity import (
    ADDED_PLACES,
    Cuts,
    WarningScorer,
    cuts_of,
    letter_runs,
    shown_warnings,
    unfamiliar,
    usual_cuts,
)
from similarity.texts.general import general_sentences
from similarity.uncertainty import Tolerance
from tests.similarity.exact import SmallToy

CONFIG = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
KNOWN, UNKNOWN = "the sea", "Привет, как дела?"
PAIRS = [(KNOWN, "a red car"), (KNOWN, UNKNOWN), (UNKNOWN, "море"), (UNKNOWN, UNKNOWN)]

STRANGE = [
    "一个男人正在弹吉他。",
    "狗",
    "男の人がギターを弾いています。",
    "Парламент принял новый закон.",
    "собака",
    "أقر البرلمان قانونا جديدا",
    "كلب",
    "एक आदमी गिटार बजा रहा है।",
    "Η Βουλή ψήφισε νέο νόμο.",
    "הכנסת העבירה חוק חדש",
    "국회는 새로운 법을 통과시켰다.",
    "Parlament przyjął nową ustawę.",
    "asdkjh qwoieu zxmncb",
    "sdfkjhsdkfjh",
]
ORDINARY = [
    *general_sentences()[::8],
    "I",
    "dog",
    "is not safe",
    "Angela Merkel",
    "Mohandas Karamchand Gandhi",
    "Teh man is plaing a gutar.",
    "thsi is a tset of teh sytsem",
    "def f(x): return x + 1",
    "git commit -m 'fix'",
    "SELECT name FROM users WHERE id = 3;",
    "12345678901234567890",
    "2024-01-15",
    "I visited 北京 last year and saw the Great Wall.",
    "😀😃😄",
    "!!!",
]


@pytest.fixture(scope="module")
def embedded() -> LanguageModel:
    return load_model("embedded")


def test_other_scripts_and_random_letters_are_warned_of(embedded: LanguageModel) -> None:
    assert list(unfamiliar(embedded, STRANGE)) == STRANGE


def test_english_names_code_and_typing_errors_are_not(embedded: LanguageModel) -> None:
    assert unfamiliar(embedded, ORDINARY) == {}


def test_a_warning_says_what_was_measured(embedded: LanguageModel) -> None:
    text = "Парламент  принял новый закон. " * 3
    (warning,) = unfamiliar(embedded, [text, text]).values()
    assert warning.startswith(
        "the model hardly knows the script, language or spelling of "
        "'Парламент принял новый закон. Парламент …' (0.5 letters a token, in general English 3.6)"
    )


class LosesDigits(WrapperModel):
    """Has no tokens for digits, as tokenizers without bytes have none for some letters."""

    def encode(self, text: str) -> TokenIds:
        return super().encode("".join(c for c in text if not c.isdigit()))


def test_letters_that_have_no_tokens_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("similarity.texts.familiarity.UNCOMMON", "A 1")
    model = LosesDigits(ToyModel(prior=0.04))
    (warning,) = unfamiliar(model, ["the sea", "room 1234"]).values()
    assert warning == (
        "the model's tokenizer has no tokens for 4 of the 8 letters of 'room 1234', so its scores "
        "mean little"
    )
    # One of many is no matter.
    assert unfamiliar(model, ["there are 9 boats in the bay"]) == {}


class KnowsAscii(WrapperModel):
    """Has no tokens for other signs, and refuses a text of them alone, as `Tokenization` does."""

    def encode(self, text: str) -> TokenIds:
        known = "".join(c for c in text if c.isascii())
        if text and not known.strip():
            raise InputError(f"no tokens for {text!r}")
        return super().encode(known)

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        return [self.encode(text) for text in texts]


@pytest.mark.parametrize("loses", [True, False])
def test_a_text_whose_words_have_no_tokens_keeps_its_score(
    monkeypatch: pytest.MonkeyPatch, loses: bool
) -> None:
    monkeypatch.setattr("similarity.texts.familiarity.UNCOMMON", "A 日" if loses else "A")
    model = KnowsAscii(ToyModel(prior=0.05 if loses else 0.06))
    pairs = [("12 日本 7", "13 apples"), (KNOWN, "a red car"), ("日 1", "日 2")]
    scores = compare_pairs(model, pairs, CONFIG)
    lost = "the model's tokenizer has no tokens for {} of the {} letters of {!r}"
    assert [[warning.partition(", so")[0] for warning in score.warnings] for score in scores] == [
        [lost.format(2, 5, "12 日本 7")],
        [],
        [lost.format(1, 2, "日 1"), lost.format(1, 2, "日 2")],
    ]


def test_words_are_runs_of_letters_with_their_marks() -> None:
    assert letter_runs("x_1 = foo2bar('Hi!')") == ["x", "foo", "bar", "Hi"]
    assert letter_runs("naïve café – हिन्दी 😀") == ["naïve", "café", "हिन्दी"]
    assert letter_runs("3.14") == []


def test_cuts_by_hand(toy_model: ToyModel) -> None:
    # The toy's tokens are bytes, and it has no tokens of its own before a text.
    assert cuts_of(toy_model, ["ab, c!", "12", "é"]) == [
        Cuts(2, 3, 4),
        Cuts(0, 0, 0),
        Cuts(1, 1, 2),
    ]
    cuts = Cuts(words=2, letters=8, tokens=5)
    assert cuts.rate == 3 / 6
    assert cuts.letters_a_token == 8 / 5
    assert cuts.rate_beside(0.1) == pytest.approx((3 + ADDED_PLACES * 0.1) / (6 + ADDED_PLACES))
    assert Cuts(1, 1, 3).rate == 2


class Counting(WrapperModel):
    """Counts the texts that are encoded."""

    encoded = 0

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        self.encoded += len(texts)
        return super().encode_all(texts)


def test_general_text_is_measured_once_for_a_model() -> None:
    model = Counting(ToyModel(prior=0.03))
    first = usual_cuts(model)
    measured = model.encoded
    assert first is not None
    assert measured == 10
    assert unfamiliar(model, [KNOWN, KNOWN, UNKNOWN]).keys() == {UNKNOWN}
    assert model.encoded == measured + 2
    assert usual_cuts(model) == first


def test_a_model_that_cannot_have_general_text_warns_of_nothing() -> None:
    toy = SmallToy()
    assert usual_cuts(toy) is None
    assert compare_pairs(toy, [("ab", "b")], CONFIG)[0].warnings == ()


def test_scores_are_the_same_and_have_the_warnings_of_their_texts(toy_model: ToyModel) -> None:
    plain = TrajectoryScorer(toy_model, CONFIG)
    scorer = WarningScorer(plain, toy_model)
    found = scorer.score(PAIRS)
    assert [score.numbers() for score in found] == [s.numbers() for s in plain.score(PAIRS)]
    assert [len(score.warnings) for score in found] == [0, 1, 2, 1]
    assert UNKNOWN in found[1].warnings[0]
    assert found[1].to_dict()["warnings"] == list(found[1].warnings)
    assert [e.score.warnings for e in scorer.explain(PAIRS, 1)] == [s.warnings for s in found]
    matrix = scorer.matrix([KNOWN, UNKNOWN], ["море"])
    assert (matrix.distances == plain.matrix([KNOWN, UNKNOWN], ["море"]).distances).all()
    assert list(matrix.warnings) == matrix.to_dict()["warnings"]
    assert [name in text for name, text in zip((UNKNOWN, "море"), matrix.warnings, strict=True)]
    assert scorer.matrix([KNOWN]).warnings == ()


def test_every_door_warns(toy_model: ToyModel) -> None:
    assert open_scorer(toy_model, config=CONFIG).score(PAIRS)[1].warnings
    assert compare_matrix(toy_model, [KNOWN, UNKNOWN], config=CONFIG).warnings
    goal = Tolerance(half_width=1e9)
    assert compare_to_tolerance(toy_model, KNOWN, UNKNOWN, goal, CONFIG).warnings


def test_the_commands_warn_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text(f"{KNOWN}\n{UNKNOWN}\n", encoding="utf-8")
    options = ("--model", "toy", "-n", "2", "-m", "3")
    commands = [
        ("compare", KNOWN, UNKNOWN),
        ("explain", KNOWN, UNKNOWN),
        ("matrix", str(tmp_path / "texts")),
        ("cluster", str(tmp_path / "texts")),
        ("dedupe", str(tmp_path / "texts")),
    ]
    for command in commands:
        result = CliRunner().invoke(main, [*command, *options])
        assert result.exit_code == 0, result.output
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
        assert UNKNOWN in line
        assert "warning" not in result.stdout
    quiet = CliRunner().invoke(main, ["compare", KNOWN, "a red car", *options])
    assert "warning" not in quiet.stderr


def test_lines_of_a_batch_have_warnings(tmp_path: Path) -> None:
    pairs = [{"pair": list(pair)} for pair in PAIRS] + [{"texts": [KNOWN, UNKNOWN]}]
    lines = "".join(f"{json.dumps(pair)}\n" for pair in pairs)
    (tmp_path / "in.jsonl").write_text(lines, encoding="utf-8")
    for name in ("out.jsonl", "out.csv"):
        files = [str(tmp_path / "in.jsonl"), str(tmp_path / name)]
        command = ["batch", *files, "--model", "toy", "-n", "2", "-m", "3"]
        assert CliRunner().invoke(main, command).exit_code == 0
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    answers = [json.loads(line) for line in lines.splitlines()]
    assert [len(answer["warnings"]) for answer in answers] == [0, 1, 2, 1, 1]
    rows = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert "; ".join(answers[2]["warnings"]) in rows[3]


def test_of_many_warnings_the_first_are_shown() -> None:
    texts = [str(i) for i in range(30)]
    assert shown_warnings(texts[:11]) == texts[:11]
    assert shown_warnings([*texts, *texts])[9:] == [
        "9",
        "there are 20 more warnings, of other texts",
    ]
