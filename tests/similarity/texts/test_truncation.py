"""Texts that are longer than the model takes: refused with what helps, or cut and said so."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from click.testing import CliRunner

import similarity
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.errors import ConfigError, InputError, TextTooLongError
from similarity.groups.consensus import check_of, find_consensus
from similarity.models.toy import ToyModel
from similarity.texts.truncation import TruncatingScorer, Truncator, cut_warnings, within_tokens
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=4)
# The toy's context is 4,096 bytes; a full stop and four tokens are not the text's.
ROOM = 4096 - 1 - 4
LONG = "abc " + "x" * ROOM + " xyz"


def test_a_text_that_leaves_no_room_is_refused_with_what_helps() -> None:
    with pytest.raises(TextTooLongError, match=r"lower max_tokens to 2, shorten the text, or") as a:
        similarity.compare(ToyModel(), "a", "x" * (4096 - 1 - 2), CONFIG)
    assert a.value.text == "x" * (4096 - 1 - 2)
    with pytest.raises(TextTooLongError) as raised:
        similarity.compare(ToyModel(), "a", "x" * 4096, CONFIG)
    assert "max_tokens" not in str(raised.value)
    assert "shorten the text, or have it cut (truncate)" in str(raised.value)


@pytest.mark.parametrize(
    ("truncate", "left", "end"), [("end", LONG[:ROOM], "first"), ("start", LONG[-ROOM:], "last")]
)
def test_the_longest_part_that_fits_is_compared_and_said_so(
    truncate: str, left: str, end: str
) -> None:
    model = ToyModel()
    score = similarity.compare(model, LONG, "a", CONFIG, truncate=truncate)
    plain = similarity.compare(model, left, "a", CONFIG)
    assert (score.similarity, score.distance) == (plain.similarity, plain.distance)
    assert score.texts == (LONG, "a")
    assert f"its {end} {ROOM} characters of {len(LONG)} were read" in score.warnings[0]
    assert plain.warnings == ()


def cut_to(text: str, tokens: int, truncate: str) -> str:
    """Return what is left of a text where each character is a token."""

    def check(texts: Sequence[str]) -> None:
        if any(len(text) > tokens for text in texts):
            raise TextTooLongError("too long")

    (kept,) = Truncator(check, truncate).cut([text])
    return kept


@pytest.mark.parametrize(
    ("text", "tokens", "start", "end"),
    [
        # Within a word, between two words, at both edges of a space.
        ("a dog can run over the hill", 16, " over the hill", "a dog can run "),
        ("a dog can run over the hill", 17, "run over the hill", "a dog can run "),
        ("a dog can run over the hill", 18, " run over the hill", "a dog can run over"),
        ("it's over, Mr. O'Neill2", 9, " O'Neill2", "it's over"),
        # What is one word or none, or has no spaces, is cut anywhere.
        ("unbelievable", 5, "vable", "unbel"),
        ("…!?unbelievable", 5, "vable", "…!?un"),
        ("x" * 100 + " abc", 50, "x" * 46 + " abc", "x" * 50),
        ("这是一个很长的句子", 4, "长的句子", "这是一个"),
    ],
)
def test_no_word_is_cut_where_there_are_others(
    text: str, tokens: int, start: str, end: str
) -> None:
    assert cut_to(text, tokens, "start") == start
    assert cut_to(text, tokens, "end") == end


def test_texts_that_fit_are_left_alone() -> None:
    model = ToyModel()
    fits = "  " + "x" * ROOM + "\n"
    for text in ("a", fits):
        cut = similarity.compare(model, text, "b", CONFIG, truncate="end")
        plain = similarity.compare(model, text, "b", CONFIG)
        assert (cut.similarity, cut.warnings) == (plain.similarity, ())


def test_matrices_and_explanations_have_the_texts_as_given() -> None:
    model = ToyModel()
    scorer = similarity.open_scorer(model, config=CONFIG, truncate="end")
    assert isinstance(scorer, TruncatingScorer)
    matrix = scorer.matrix([LONG, "a"], ["b"])
    assert (matrix.rows, matrix.columns) == ((LONG, "a"), ("b",))
    assert (
        matrix.similarities[0, 0] == similarity.compare(model, LONG[:ROOM], "b", CONFIG).similarity
    )
    assert len(matrix.warnings) == 1
    (explained,) = scorer.explain([("a", LONG)], 2)
    assert explained.score.texts == ("a", LONG)
    assert explained.score.warnings == matrix.warnings
    assert cut_warnings(scorer, ["a", LONG]) == list(matrix.warnings)
    assert cut_warnings(similarity.open_scorer(model, config=CONFIG), [LONG]) == []


def test_vectors_of_texts_that_are_cut() -> None:
    model = ToyModel()
    vectors = fit(model, [f"{i} texts of {i * i} letters" for i in range(60)], TOY_CONFIG)
    with pytest.raises(TextTooLongError):
        vectors.encode([LONG])
    cut, whole = vectors.encode([LONG, "a"], truncate="end")
    (kept,) = vectors.truncator("end").cut([LONG])
    assert (vectors.encode([kept])[0] == cut).all()
    assert (vectors.encode(["a"])[0] == whole).all()
    with pytest.raises(TextTooLongError):
        vectors.encode([LONG[: len(kept) + 1]])


def test_a_text_is_no_text_however_short_it_is_made() -> None:
    scorer = similarity.open_scorer(ToyModel(), config=CONFIG, truncate="end")
    for bad in (" ", "\ud800", " " * 9000):
        with pytest.raises(InputError):
            scorer.score([("a", bad)])


def test_a_prompt_that_leaves_no_room_cannot_be_helped_by_cutting() -> None:
    config = ComparisonConfig.build(
        prompt=similarity.Prompt(before="x" * 5000), n_trajectories=2, max_tokens=2
    )
    for truncate in ("refuse", "end", "start"):
        with pytest.raises(TextTooLongError, match=r"no room for a text.*; shorten the prompt$"):
            similarity.compare(ToyModel(), "a", "b", config, truncate=truncate)


def test_a_continuation_that_leaves_no_room_is_said_to() -> None:
    """It was advised to shorten a text of one letter."""
    config = ComparisonConfig.build(prompt="none", n_trajectories=2, max_tokens=4096)
    for truncate in ("refuse", "end"):
        with pytest.raises(TextTooLongError, match=r"no room .*; lower max_tokens to \d+$"):
            similarity.compare(ToyModel(), "a", "b", config, truncate=truncate)


def test_fewer_tokens_to_keep_than_a_character_has_are_what_is_refused() -> None:
    """It was said that the prompt leaves no room in the model."""
    check = within_tokens(lambda _: None, lambda texts: [(0, *map(ord, text)) for text in texts], 1)
    with pytest.raises(
        TextTooLongError, match="'hello world' .* alone has 2 tokens, .* keeps 1 at most"
    ):
        Truncator(check, "end").cut(["hello world"])


@pytest.mark.parametrize("estimator", ["weeds-fifth", "paper"])
def test_entailment_of_what_is_left(estimator: str, tmp_path) -> None:
    model = ToyModel()
    save(fit(model, sentences(60), TOY_CONFIG), tmp_path)
    options = {"config": CONFIG, "vectors": str(tmp_path)}
    refusing = open_entailment(model, estimator, **options)
    with pytest.raises(TextTooLongError):
        refusing.judge([("a", LONG)])
    cutting = open_entailment(model, estimator, truncate="end", **options)
    cut, whole = cutting.judge([("a", LONG), ("a", "b")])
    (kept,) = cutting.truncator.cut([LONG])
    assert cut.forward == refusing.judge([("a", kept)])[0].forward
    assert cut.texts == ("a", LONG)
    assert "were read" in cut.warnings[0]
    assert cut.to_dict()["warnings"] == list(cut.warnings)
    assert (whole.texts, whole.warnings) == (("a", "b"), ())


def test_a_question_stays_whole_where_answers_are_cut(tmp_path) -> None:
    vectors = fit(ToyModel(), sentences(60), TOY_CONFIG)
    scorer = ProfileEntailment(vectors=vectors)
    truncator = Truncator(check_of(scorer.check, "red or blue?"), "start")
    found = find_consensus(scorer, ["a", LONG], question="red or blue?", truncator=truncator)
    (kept,) = truncator.cut([LONG])
    alone = scorer.degrees(["red or blue? a", f"red or blue? {kept}"])
    np.testing.assert_array_equal(found.degrees, alone)
    assert found.texts == ("a", LONG)
    assert "were read" in found.warnings[0]


@pytest.mark.parametrize("truncate", ["refuse", "end", "start"])
@pytest.mark.parametrize("size", [len(LONG), 4060])
def test_a_question_that_leaves_no_room_is_to_be_shortened(truncate: str, size: int) -> None:
    """It was called a text, which was to be cut; that of 4,060 leaves room for no answer."""
    scorer = ProfileEntailment(vectors=fit(ToyModel(), sentences(60), TOY_CONFIG))
    question = ("why " * size)[:size]
    with pytest.raises(TextTooLongError, match=r"^the question that begins 'why why.*by \d") as a:
        Truncator(check_of(scorer.check, question), truncate)
    assert str(a.value).endswith("; shorten the question")
    assert a.value.text == question


def test_a_text_that_is_too_long_after_a_question_is_named_by_its_own_beginning() -> None:
    """The question stood there in its place."""
    scorer = ProfileEntailment(vectors=fit(ToyModel(), sentences(60), TOY_CONFIG))
    with pytest.raises(TextTooLongError, match=rf"begins '{LONG[:9]}.* \d+ tokens too long") as a:
        find_consensus(scorer, ["a", LONG], question="why " * 30)
    assert "shorten the text or the question, or have it cut" in str(a.value)
    assert a.value.text == LONG


def test_characters_beyond_a_bound_are_cut_before_the_model_reads_them() -> None:
    read: list[int] = []
    truncator = Truncator(lambda texts: read.extend(map(len, texts)), "end", max_characters=10)
    assert truncator.cut(["a" * 11, "b"]) == ["a" * 10, "b"]
    assert max(read) == 10
    assert truncator.cut(["a" * 11]) == ["a" * 10]


def test_an_unknown_way_to_cut_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match="unknown truncate 'middle'; allowed: refuse, end, start"):
        similarity.compare(ToyModel(), "a", "b", truncate="middle")


def run(*arguments: str):
    return CliRunner().invoke(main, [*arguments, "--model", "toy"])


def test_the_command_line_refuses_by_default_and_warns_where_it_cuts(tmp_path) -> None:
    options = ("-n", "2", "-m", "3")
    assert run("compare", LONG, "b", *options).exit_code == 2
    cut = run("compare", LONG, "b", *options, "--truncate", "end", "--json")
    assert cut.exit_code == 0
    assert "characters of 4099 were read" in cut.stderr
    assert json.loads(cut.stdout)["warnings"]
    file = tmp_path / "texts.txt"
    file.write_text(f"{LONG}\nb\n")
    shown = run("matrix", str(file), *options, "--truncate", "start", "--json")
    assert json.loads(shown.stdout)["rows"] == [LONG, "b"]
    streamed = run(
        "matrix", str(file), *options, "--truncate", "end", "--out", str(tmp_path / "m.npy")
    )
    assert "were read" in streamed.stderr


def test_a_batch_cuts_too_and_goes_on_only_with_the_same_setting(tmp_path) -> None:
    source, output = tmp_path / "pairs.jsonl", tmp_path / "scores.jsonl"
    source.write_text(json.dumps({"pair": ["a", LONG]}) + "\n")
    options = ("-n", "2", "-m", "3", "--truncate", "end")
    assert run("batch", str(source), str(output), *options).exit_code == 0
    assert "were read" in json.loads(output.read_text())["warnings"][0]
    other = run("batch", str(source), str(output), *options[:-1], "start")
    assert other.exit_code == 2
    assert "truncate" in other.stderr


def test_vectors_and_index_of_the_command_line_cut(tmp_path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text(f"{LONG}\nb\n")
    assert run("embed", str(file)).exit_code == 2
    made = run("embed", str(file), "--truncate", "end")
    assert [json.loads(line)["text"] for line in made.stdout.splitlines()] == [LONG, "b"]
    assert "were read" in made.stderr
    pytest.importorskip("faiss")
    folder = str(tmp_path / "index")
    assert run("index", "build", str(file), "--out", folder, "--truncate", "end").exit_code == 0
    assert run("index", "query", folder, LONG).exit_code == 2
    found = run("index", "query", folder, LONG, "--truncate", "end", "--json")
    assert json.loads(found.stdout)["hits"][0]["similarity"] > 0.999
