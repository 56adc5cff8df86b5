"""Samples of another law, copies, and ends that were taken away are found by what they are.

Their log-probabilities are those of the model: nothing else shows it.
"""

import copy
from collections.abc import Callable

import numpy as np
import pytest

from similarity.errors import WrongAnswerError
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.laws import law_log_probs
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import sampled_law
from similarity.models.vllm_server.sampled import LEAST_LIKELY, check_copies
from similarity.models.vllm_server.sampled_law import LEAST_ODDS, TOP, Places, likelier_law
from similarity.models.vllm_server.wire import Sample
from tests.similarity.models.fake_server import Answer, FakeServer, Load

REQUEST = SampleRequest(prefix=(65, 66), n=20, max_tokens=12, key=3)
# Tokens that are sampled at loading.
TRIED = 512


class OtherLaw(FakeServer):
    """Samples by its own law, whatever is asked for, and gives the model's log-probabilities."""

    def __init__(self, law: Law, model: ToyModel | None = None) -> None:
        super().__init__(model)
        self.law = {"temperature": law.temperature, "top_k": law.top_k, "top_p": law.top_p}

    def _sampled(self, body: Answer) -> Answer:
        answer = super()._sampled({**body, **self.law})
        for choice in answer["choices"]:
            ids = tuple(choice["token_ids"])
            request = ScoreRequest(prefix=tuple(body["prompt"]), continuations=(ids,))
            ((own,),) = self.model.score([request], Law())
            if choice["logprobs"] is not None:
                choice["logprobs"]["token_logprobs"] = [float(value) for value in own]
        return answer


def sampled_by(law: Law, rows: np.ndarray, seed: int) -> Places:
    """Return what is listed where a token of each of some distributions is sampled by a law."""
    generator = np.random.default_rng(seed)
    noise = generator.gumbel(size=rows.shape)
    tokens = np.argmax(law_log_probs(rows, law) + noise, axis=1)
    best = np.argsort(-rows, axis=1, kind="stable")[:, :TOP]
    hit = best == tokens[:, None]
    return Places(np.take_along_axis(rows, best, axis=1), np.where(hit.any(1), hit.argmax(1), TOP))


def distributions(sharpness: float, size: int, seed: int = 0) -> np.ndarray:
    """Return next-token distributions, shape "place token" in nats; 3 of 300 have 3.5 nats."""
    logits = sharpness * np.random.default_rng(seed).normal(size=(TRIED, size))
    return law_log_probs(logits, Law())


@pytest.mark.parametrize(
    "law",
    [
        Law(top_k=1),
        Law(temperature=0.01),
        Law(temperature=0.3),
        Law(temperature=0.6, top_p=0.9),
        Law(temperature=0.7, top_p=0.8, top_k=20),
        Law(top_k=5),
        Law(top_p=0.5),
    ],
)
def test_a_server_that_ignores_the_law_is_refused(load: Load, law: Law) -> None:
    """All were loaded: sampled and scored tokens had the same log-probabilities."""
    with pytest.raises(WrongAnswerError, match=r"another law than it was asked for.*-config vllm"):
        load(server=OtherLaw(law))


@pytest.mark.longer
@pytest.mark.parametrize("prior", [0.001, 0.02, 1.0, 1e6])
def test_a_right_server_is_taken(load: Load, prior: float) -> None:
    """Also where all tokens are equally probable, so that any of them may be listed."""
    for end in (0.001, 0.9):
        assert load(server=FakeServer(ToyModel(prior=prior, end=end))).encode("a") == (97,)


@pytest.mark.longer
@pytest.mark.parametrize(("sharpness", "size"), [(0.0, 50), (1.0, 300), (3.0, 300), (30.0, 300)])
def test_the_odds_against_a_right_server_are_small(sharpness: float, size: int) -> None:
    """Odds of k have a probability of 1/k at most, so the mean of all odds is no more than 1."""
    rows = distributions(sharpness, size)
    odds = [
        np.exp(likelier_law(sampled_by(Law(), rows[: 8 + seed % 64], seed))[1])
        for seed in range(400)
    ]
    assert max(odds) < LEAST_ODDS / 1000
    assert sum(one >= 20 for one in odds) <= 400 / 20


@pytest.mark.longer
def test_the_power_at_so_many_tokens() -> None:
    """What the guide says is found, and what is not."""
    rows = distributions(3.0, 300)

    def found(law: Law) -> int:
        return sum(likelier_law(sampled_by(law, rows, seed))[1] > np.log(1e9) for seed in range(4))

    others = [law for law in sampled_law.OTHER_LAWS.values() if law.top_p != 0.9]
    assert [found(law) for law in others] == [4] * len(others)
    assert found(Law(top_p=0.98)) == found(Law(temperature=0.97)) == 0


def test_a_token_that_a_law_excludes_rules_it_not_out() -> None:
    rows = distributions(3.0, 300)
    places = sampled_by(Law(top_k=1), rows, 1)
    places.ranks[7] = TOP
    assert likelier_law(places)[0] == "greedily"
    assert likelier_law(places)[1] > np.log(LEAST_ODDS)


def test_lists_of_another_size_or_without_the_sampled_token(load: Load) -> None:
    def longer(place: Answer) -> None:
        place.update({f"token_id:{token}": -30.0 for token in range(290, 299)})

    def other(place: Answer) -> None:
        name = next(iter(place))
        place["token_id:299"] = place.pop(name)

    for change in (longer, other):
        server = FakeServer()

        def edit(_body: Answer, answer: Answer, change: Callable[[Answer], None] = change) -> None:
            for choice in answer["choices"]:
                if tops := (choice.get("logprobs") or {}).get("top_logprobs"):
                    change(tops[0])

        server.edit = edit
        with pytest.raises(WrongAnswerError, match="tokens where one was sampled"):
            load(server=server)


@pytest.mark.parametrize("change", [list.pop, lambda tops: tops.append(dict(tops[0]))])
def test_lists_at_more_or_fewer_places_than_tokens(
    load: Load, change: Callable[[list[Answer]], object]
) -> None:
    """The refusal had the words of a failure of Python's zip."""
    server = FakeServer()

    def edit(_body: Answer, answer: Answer) -> None:
        for choice in answer["choices"]:
            if tops := (choice.get("logprobs") or {}).get("top_logprobs"):
                change(tops)

    server.edit = edit
    with pytest.raises(WrongAnswerError, match=r"at \d+ places of a sample of \d+ tokens"):
        load(server=server)


def repeated(choices: list[Answer]) -> None:
    for number, choice in enumerate(choices):
        choice.update(copy.deepcopy(choices[0]), index=number)


def one_twice(choices: list[Answer]) -> None:
    longest = min(choices, key=lambda one: sum(one["logprobs"]["token_logprobs"]))
    place = (longest["index"] + 1) % len(choices)
    choices[place].update(copy.deepcopy(longest), index=place)


@pytest.mark.parametrize("change", [repeated, one_twice])
def test_copies_are_refused(load: Load, change: Callable[[list[Answer]], None]) -> None:
    """They were scored, and the wrong score was kept."""
    server = FakeServer()
    model = load(server=server)

    def edit(body: Answer, answer: Answer) -> None:
        if body["max_tokens"] == REQUEST.max_tokens:
            change(answer["choices"])

    server.edit = edit
    request = SampleRequest(prefix=tuple(range(65, 95)), n=20, max_tokens=12, key=3)
    with pytest.raises(WrongAnswerError, match=r"gave .* equal samples of 20, which has a prob"):
        model.sample([request], Law())
    # Under another law the log-probabilities are not those of sampling.
    assert model.sample([request], Law(temperature=0.1))


@pytest.mark.parametrize("change", [repeated, one_twice])
def test_copies_are_refused_at_loading(load: Load, change: Callable[[list[Answer]], None]) -> None:
    """They were found at the first use alone."""
    server = FakeServer()

    def edit(body: Answer, answer: Answer) -> None:
        if body["n"] == 64:
            change(answer["choices"])

    server.edit = edit
    with pytest.raises(WrongAnswerError, match=r"gave .* equal samples of 64, which has a prob"):
        load(server=server)


def test_right_samples_are_no_copies() -> None:
    """Where few continuations are possible, equal ones are right."""
    for seed in range(300):
        generator = np.random.default_rng(seed)
        logs = law_log_probs(generator.normal(size=4) * generator.uniform(0, 9), Law())
        drawn = generator.choice(4, size=(20, 1 + seed % 5), p=np.exp(logs))
        check_copies([Sample(tuple(map(int, row)), "", False, logs[row]) for row in drawn])


def test_how_unlikely_copies_are() -> None:
    def of(total: float) -> list[Sample]:
        return [Sample((1, 2), "", False, np.array([total / 2] * 2)) for _ in range(2)]

    check_copies(of(np.log(LEAST_LIKELY) + 0.01))
    with pytest.raises(WrongAnswerError, match="gave 2 equal samples of 2"):
        check_copies(of(np.log(LEAST_LIKELY) - 0.01))


def test_a_sample_that_ended_at_a_string_is_refused(load: Load) -> None:
    """A gateway that adds stop strings changed scores without a word."""
    server = FakeServer()
    model = load(server=server)

    def edit(body: Answer, answer: Answer) -> None:
        if body["max_tokens"] == REQUEST.max_tokens:
            answer["choices"][-1].update(finish_reason="stop", stop_reason="in")

    server.edit = edit
    with pytest.raises(WrongAnswerError, match="ended a continuation at 'in', which no request"):
        model.sample([REQUEST], Law())


def halved(choice: Answer) -> None:
    kept = max(1, len(choice["token_ids"]) // 2)
    choice["finish_reason"] = "stop"
    choice["token_ids"] = choice["token_ids"][:kept]
    if choice["logprobs"]:
        choice["logprobs"] = {name: of[:kept] for name, of in choice["logprobs"].items()}


def without_end(choice: Answer) -> None:
    (end,) = ToyModel().end_ids
    if choice["token_ids"][-1] == end and len(choice["token_ids"]) > 1:
        choice["token_ids"].pop()
        for of in (choice["logprobs"] or {}).values():
            of[len(choice["token_ids"]) :] = []


@pytest.mark.parametrize("law", [Law(), Law(temperature=0.7)])
@pytest.mark.parametrize("change", [halved, without_end])
@pytest.mark.parametrize("always", [False, True])
def test_samples_that_have_lost_their_end(
    load: Load, change: Callable[[Answer], None], law: Law, always: bool
) -> None:
    """They were scored as if the model had ended there."""
    server = FakeServer()
    model = load(server=server)

    def edit(body: Answer, answer: Answer) -> None:
        if body["max_tokens"] == REQUEST.max_tokens or (always and "allowed_token_ids" in body):
            for choice in answer["choices"]:
                change(choice)

    server.edit = edit
    with pytest.raises(WrongAnswerError, match=r"with token \d+, after which it goes on: the end"):
        model.sample([REQUEST], law)
    server.edit = lambda _body, _answer: None
    assert model.sample([REQUEST], law)


def test_an_end_is_tried_once(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    for key in range(4):
        model.sample([SampleRequest(prefix=(65, 66), n=20, max_tokens=12, key=key)], Law())
    tried = [body["allowed_token_ids"] for body in server.bodies if "allowed_token_ids" in body]
    assert tried == [[256]]
