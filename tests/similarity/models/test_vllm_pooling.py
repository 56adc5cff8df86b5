"""A server that pools gives a model's states; what else it is, or is not, is found at load."""

import base64
import math
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from similarity import compare
from similarity.arrays import Rows
from similarity.cli.main import main
from similarity.entailment.opening import open_entailment
from similarity.errors import (
    BackendRefusedError,
    BackendUnavailableError,
    ConfigError,
    InputError,
    ModelChangedError,
    ModelError,
    UnsupportedError,
    WrongAnswerError,
)
from similarity.law import Law
from similarity.meaning import profile_group
from similarity.models.base import Ability, SampleRequest, ScoreRequest, TokenIds
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.pooled_states import read_states
from similarity.scorers import open_scorer
from similarity.vectors.general import find_vectors, open_vectors
from similarity.vectors.implied import likelier_words, no_words
from similarity.vectors.recipes import changed, default_config
from similarity.vectors.storage import save
from tests.similarity.models.fake_pooling_server import FakePoolingServer, toy_states
from tests.similarity.models.fake_server import (
    QUICK,
    Answer,
    FakeServer,
    Load,
    answers,
    transport,
)

TOY = ToyModel()
TEXTS = ("a red car", "no", "seven grey geese", "a red car", "geese")
PREFIXES: list[TokenIds] = [TOY.encode(text) for text in TEXTS]


def test_states_are_the_models(load: Load) -> None:
    model = load(server=FakePoolingServer())
    assert model.abilities == {Ability.NEXT_STATES}
    found = model.next_states(PREFIXES)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, toy_states(PREFIXES))
    assert model.next_states([]).shape == (0, found.shape[1])
    finished: list[int] = []
    model.next_states(PREFIXES, finished.append)
    assert sum(finished) == len(PREFIXES)


def test_requests_have_exact_ids_and_a_bounded_size(load: Load) -> None:
    server = FakePoolingServer()
    model = load(ServerConfig(request_tokens=20), server=server)
    model.next_states(PREFIXES)
    ids = [list(prefix) for prefix in PREFIXES]
    assert sorted(server.asked) == sorted([ids[:2], ids[2:3], ids[3:]])
    assert all(body["use_activation"] is False for body in server.bodies)


def test_a_server_that_would_normalise_gets_a_request_not_to(load: Load) -> None:
    model = load(server=FakePoolingServer())
    lengths = np.linalg.norm(model.next_states(PREFIXES), axis=1)
    assert (np.abs(lengths - 1) > 1).all()


def test_one_that_normalises_all_the_same_is_refused(load: Load) -> None:
    server = FakePoolingServer()
    server.heeds_activation = False
    with pytest.raises(BackendRefusedError, match='"use_activation": false'):
        load(server=server)


def test_a_mean_over_tokens_is_refused(load: Load) -> None:
    server = FakePoolingServer()
    server.pooled = lambda states: states.mean(axis=0)
    with pytest.raises(BackendRefusedError, match='means over all.*"seq_pooling_type": "LAST"'):
        load(server=server)


def test_the_first_token_alone_is_refused(load: Load) -> None:
    server = FakePoolingServer()
    server.pooled = lambda states: states[0]
    with pytest.raises(BackendRefusedError, match="later tokens do not move"):
        load(server=server)


def test_states_that_depend_on_other_texts_are_refused(load: Load) -> None:
    server = FakePoolingServer()
    calls: list[int] = []

    def last(states: np.ndarray) -> np.ndarray:
        calls.append(len(states))
        return states[-1] * (1 + 0.001 * len(calls))

    server.pooled = last
    with pytest.raises(WrongAnswerError, match="other states beside other texts"):
        load(server=server)


def test_another_model_than_before_is_found_out(load: Load) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    server.seed = 1
    with pytest.raises(WrongAnswerError, match="another model than before"):
        model.next_states(PREFIXES)


@pytest.mark.longer
def test_the_revision_is_of_the_weights(load: Load) -> None:
    first, again = load(a=FakePoolingServer()), load(b=FakePoolingServer())
    other = load(c=FakePoolingServer(seed=1))
    assert first.info.revision == again.info.revision != other.info.revision
    assert first.info.revision.startswith("states:")


@pytest.mark.longer
@pytest.mark.parametrize(
    "other",
    [
        lambda state: 2 * state,
        lambda state: 1.03 * state,
        lambda state: state / np.sqrt((state**2).mean()),
        lambda state: -state,
        lambda state: state + 1,
    ],
    ids=["twice", "scaled", "normalised", "turned", "moved"],
)
def test_states_of_other_lengths_have_a_revision_of_their_own(
    other: Callable[[Rows], Rows], load: Load
) -> None:
    server = FakePoolingServer()
    first = load(server=server)
    open_vectors(None, first).encode(TEXTS)
    server.pooled = lambda states: np.asarray(other(states[-1]), np.float32)
    second = load(server=server)
    assert first.info.revision != second.info.revision
    with pytest.raises(BackendRefusedError, match=f"as {second.info.revision}, not states:"):
        load_server(f"http://a#toy@{first.info.revision}", QUICK, transport=transport(a=server))
    open_vectors(None, second).encode(TEXTS)
    # The general text is read again.
    assert sum(len(asked) for asked in server.asked) > 2 * len(set(TEXTS))


@pytest.mark.longer
def test_states_that_rounding_moved_keep_their_revision(load: Load) -> None:
    server, noise = FakePoolingServer(), np.random.default_rng(0)
    first = load(server=server).info.revision

    def rounded(states: Rows) -> Rows:
        last = states[-1]
        moves = noise.normal(size=last.shape) * np.linalg.norm(last) / np.sqrt(last.size)
        return np.asarray(1.001 * last + 0.004 * moves, np.float32)

    server.pooled = rounded
    found = [
        load_server(f"http://a#toy@{first}", QUICK, transport=transport(a=server)) for _ in range(9)
    ]
    assert {model.info.revision for model in found} == {first}
    for model in found:
        model.close()


def test_replicas_share_the_work(load: Load) -> None:
    a, b = FakePoolingServer(), FakePoolingServer()
    model = load(ServerConfig(request_tokens=8, in_flight=1), a=a, b=b)
    np.testing.assert_array_equal(model.next_states(PREFIXES), toy_states(PREFIXES))
    assert a.asked
    assert b.asked


@pytest.mark.parametrize("other", [FakeServer(), FakePoolingServer(seed=1)])
def test_replicas_of_another_model_or_kind_are_refused(load: Load, other: FakeServer) -> None:
    with pytest.raises(BackendRefusedError, match="serves another model than"):
        load(a=FakePoolingServer(), b=other)


def noisy(part: float) -> Callable[[Rows], Rows]:
    """Return what moves each state by noise of this part of its length."""
    draws = np.random.default_rng(0)

    def pooled(states: Rows) -> Rows:
        last = states[-1]
        move = draws.normal(size=last.shape)
        move *= part * np.linalg.norm(last) / np.linalg.norm(move)
        return np.asarray(last + move, np.float32)

    return pooled


def longer(factor: float) -> Callable[[Rows], Rows]:
    return lambda states: np.asarray(factor * states[-1], np.float32)


CHANGED = {
    "4 % longer": longer(1.04),
    "1.5 % longer": longer(1.015),
    "1 % shorter": longer(0.99),
    "noise of 3.5 %": noisy(0.035),
}
ROUNDED = {"0.3 % longer": longer(1.003), "noise of 1.5 %": noisy(0.015)}


@pytest.mark.parametrize("pooled", CHANGED.values(), ids=CHANGED)
def test_replicas_whose_states_differ_little_are_refused(
    load: Load, pooled: Callable[[Rows], Rows]
) -> None:
    """They were one model: a pair read by both had another similarity."""
    other = FakePoolingServer()
    other.pooled = pooled
    with pytest.raises(ModelError, match="serves another model than|beside other texts"):
        load(a=FakePoolingServer(), b=other)


@pytest.mark.parametrize("pooled", CHANGED.values(), ids=CHANGED)
def test_a_server_whose_states_change_little_is_found_out(
    load: Load, pooled: Callable[[Rows], Rows]
) -> None:
    """Similarities moved by 0.2, without a word."""
    server = FakePoolingServer()
    model = load(server=server)
    server.pooled = pooled
    with pytest.raises(ModelChangedError, match=r"differ by 0\.0\d+ .* are allowed"):
        model.next_states(PREFIXES)


def test_of_two_the_one_whose_states_change_little_is_left_out(load: Load) -> None:
    a, b = FakePoolingServer(), FakePoolingServer()
    model = load(ServerConfig(request_tokens=8, in_flight=1), a=a, b=b)
    a.pooled = longer(1.02)
    for _ in range(2):
        np.testing.assert_array_equal(model.next_states(PREFIXES), toy_states(PREFIXES))


@pytest.mark.parametrize("pooled", ROUNDED.values(), ids=ROUNDED)
def test_states_that_rounding_moved_are_taken(load: Load, pooled: Callable[[Rows], Rows]) -> None:
    other = FakePoolingServer()
    other.pooled = pooled
    model = load(a=FakePoolingServer(), b=other)
    for _ in range(10):
        model.next_states(PREFIXES)


def test_an_overloaded_server_is_asked_again(load: Load) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    server.faults.extend([answers(503), answers(429)])
    np.testing.assert_array_equal(model.next_states(PREFIXES), toy_states(PREFIXES))


def test_one_that_is_gone(load: Load) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    server.down = True
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        model.next_states(PREFIXES)
    with pytest.raises(BackendUnavailableError):
        model.check_alive()


def spoilt_order(answer: Answer) -> None:
    answer["data"].reverse()


def spoilt_count(answer: Answer) -> None:
    answer["data"].pop()


def spoilt_width(answer: Answer) -> None:
    answer["data"][-1]["embedding"] = "AACAPw=="


def spoilt_base64(answer: Answer) -> None:
    answer["data"][-1]["embedding"] = "?"


def spoilt_number(answer: Answer) -> None:
    states = toy_states(PREFIXES[:1])
    states[0, 0] = math.nan
    answer["data"][-1]["embedding"] = base64.b64encode(states.tobytes()).decode()


@pytest.mark.parametrize(
    "spoil", [spoilt_order, spoilt_count, spoilt_width, spoilt_base64, spoilt_number]
)
def test_answers_that_cannot_be_right(load: Load, spoil: object) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    server.edit = lambda _body, answer: spoil(answer)  # type: ignore[operator]
    with pytest.raises(WrongAnswerError, match="gave"):
        model.next_states(PREFIXES)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"index": 0, "embedding": [0.5]}]},
        {"data": [{"index": 0, "embedding": "AAA"}]},
        {"data": [{"index": 0}]},
        {"data": [["0", "AACAPw=="]]},
        {"data": {}},
        {"error": "no"},
        [],
        None,
        "no",
    ],
)
def test_an_answer_of_another_shape(answer: object) -> None:
    """The message had words of Python: TypeError('list indices must be integers …')."""
    with pytest.raises(WrongAnswerError, match="embed_dtype") as raised:
        read_states(answer, 1)
    assert "Error(" not in str(raised.value)


def repeated(answer: Answer) -> None:
    for one in answer["data"][2:]:
        one["embedding"] = answer["data"][1]["embedding"]


def scaled(answer: Answer, factor: float) -> None:
    for one in answer["data"][1:]:
        state = factor * np.frombuffer(base64.b64decode(one["embedding"]), "<f4")
        one["embedding"] = base64.b64encode(state.astype("<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (repeated, "gave two different prompts the same state"),
        (lambda answer: scaled(answer, 1e30), r"gave a state of length .*e\+3\d, and from"),
        (lambda answer: scaled(answer, 1e-3), "gave a state of length 0.0"),
    ],
)
def test_states_that_cannot_be(load: Load, spoil: object, match: str) -> None:
    """They were taken: each distance was 0, or another than it is."""
    server = FakePoolingServer()
    model = load(server=server)
    server.edit = lambda _body, answer: spoil(answer)  # type: ignore[operator]
    with pytest.raises(WrongAnswerError, match=match):
        model.next_states(PREFIXES)
    # Prompts that differ by a token far before the end may round to the same state.
    long = [(first, *range(65, 95)) for first in (40, 41)]
    server.edit = lambda _body, answer: repeated(answer)
    assert len(model.next_states(long)) == 2
    # A text twice has one state.
    server.edit = lambda _body, _answer: None
    assert len(model.next_states([*PREFIXES, *PREFIXES])) == 2 * len(PREFIXES)


def test_texts_are_the_servers(load: Load) -> None:
    model = load(server=FakePoolingServer())
    assert model.encode_all(TEXTS) == PREFIXES
    assert model.decode(PREFIXES[0]) == TEXTS[0]
    with pytest.raises(InputError, match="spells the special token '</s>'"):
        model.encode("a </s> b")
    assert model.encode("[a] <b>") == TOY.encode("[a] <b>")


@pytest.mark.parametrize("preset", ["fast", "meaning", "best", None])
def test_presets_of_vectors_read_states(load: Load, preset: str | None) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    scorer = open_scorer(model, preset)
    (same, other) = scorer.score([("A dog runs.", "A dog runs."), ("A dog runs.", "It rained.")])
    assert same.distance == 0 < other.distance
    assert not same.fingerprint.calibrated
    kinds = [group["kind"] for group in same.fingerprint.content["settings"]["vectors"]["groups"]]
    assert set(kinds) <= {"states", "trigrams"}
    assert kinds.count("states") == (1 if preset == "fast" else 2)
    assert "profile 100% over states" in open_scorer(model, "fast").fingerprint.describe()


@pytest.mark.parametrize("preset", ["paper", "trajectories"])
def test_presets_of_continuations_are_refused(load: Load, preset: str) -> None:
    model = load(server=FakePoolingServer())
    with pytest.raises(UnsupportedError, match=r"pools.*preset fast.*without --runner pooling"):
        compare(model, "a", "b", preset=preset)


def test_nothing_is_sampled_or_scored(load: Load) -> None:
    model = load(server=FakePoolingServer())
    with pytest.raises(UnsupportedError, match="neither samples nor scores"):
        model.sample([SampleRequest(prefix=(1,), n=1, max_tokens=1, key=0)], Law())
    with pytest.raises(UnsupportedError, match="neither samples nor scores"):
        model.score([ScoreRequest(prefix=(1,), continuations=((2,),))], Law())
    with pytest.raises(UnsupportedError):
        model.output_head()


def test_tokens_of_a_profile_are_refused(load: Load) -> None:
    config = default_config(load(server=FakePoolingServer()))
    with pytest.raises(ConfigError, match="gives its states alone; leave tokens out"):
        changed(config, tokens=64)
    assert {group.shrinkage for group in changed(config, shrinkage=0.25).groups[:2]} == {0.25}


def test_an_explanation_says_that_there_are_no_words(load: Load) -> None:
    scorer = open_scorer(load(server=FakePoolingServer()), "best")
    (found,) = scorer.explain([("A red car stops.", "A red bus stops.")], 5)
    content = found.to_dict()
    assert "implied" not in content
    assert "gives its states and no words" in content["note"]
    assert set(content["shares"]) == {"profile", "examples", "trigrams"}
    assert "stops" in {word["word"] for word in content["overlap"]}
    assert sum(content["shares"].values()) == pytest.approx(content["cosine"])


def test_words_are_refused_where_nothing_else_is_asked_for(load: Load) -> None:
    model = load(server=FakePoolingServer())
    vectors = open_vectors(None, model)
    with pytest.raises(UnsupportedError, match="no words.*start the server to generate"):
        likelier_words(vectors, "profile", vectors.read(["a red car"])["profile"], 3)
    with pytest.raises(UnsupportedError, match="no words.*start the server to generate"):
        profile_group(vectors)
    # Of the texts' own words none was expected, so that nothing is said of it.
    trigrams = find_vectors(None, model).open("trigrams")
    assert no_words(trigrams.model, trigrams.config) is None
    with pytest.raises(UnsupportedError, match="have no profile of next tokens"):
        profile_group(trigrams)


@pytest.mark.parametrize("command", ["entails", "consensus", "hyponym", "profile"])
def test_what_has_no_words_is_refused_before_general_text_is_read(
    command: str, load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All 401 general sentences were read first, and the message did not name entailment."""
    server = FakePoolingServer()
    model = load(server=server)
    server.asked.clear()
    for module in (
        "entailment_commands",
        "consensus_command",
        "hyponym_command",
        "vector_commands",
    ):
        monkeypatch.setattr(f"similarity.cli.{module}.open_model", lambda _: model)
    texts = tmp_path / "texts.txt"
    texts.write_text("a dog\nan animal\n")
    given = {"consensus": [str(texts)], "profile": ["a dog"]}.get(command, ["dog", "animal"])
    found = CliRunner().invoke(main, [command, *given])
    assert found.exit_code == 1, found.output
    use = "see which words texts imply" if command == "profile" else "judge entailment"
    assert f"gives its states and no words; to {use}, start the server to generate" in found.stderr
    assert not server.asked


def test_a_folder_without_a_profile_is_refused_for_entailment(load: Load, tmp_path: Path) -> None:
    model = load(server=FakePoolingServer())
    save(find_vectors(None, model).open("trigrams"), tmp_path)
    with pytest.raises(UnsupportedError, match="no profile of next tokens, to judge entailment"):
        open_entailment(model, vectors=tmp_path)


def test_vectors_are_kept_under_the_models_revision(load: Load) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    first = open_vectors(None, model).encode(TEXTS)
    server.bodies.clear()
    np.testing.assert_array_equal(open_vectors(None, model).encode(TEXTS), first)
    # The general text is not read again.
    assert sum(len(asked) for asked in server.asked) == 2 * len(set(TEXTS))


def test_errors_are_the_models(load: Load) -> None:
    server = FakePoolingServer()
    server.faults.append(lambda _: httpx.Response(400, json={"error": {"message": "no"}}))
    with pytest.raises(ModelError, match="HTTP 400: no"):
        load(QUICK, server=server)
