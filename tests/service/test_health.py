"""A call that computes may take long; one that does nothing hangs. Probes wait for either."""

import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from service.engine.engine import Engine
from service.engine.exertion import LEAST_WORK, Exertion, processor_time
from service.engine.health import MOST_CAUSES, Health
from service.engine.metrics import Metrics
from service.engine.work import AbandonedError, Batch
from service.settings import Settings
from similarity.errors import BackendRefusedError, BackendTimeoutError, BackendUnavailableError
from tests.service.models import FaultyModel


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_thread_is_seen_to_work_by_the_processor_time_that_it_uses():
    used = Clock()
    exertion = Exertion(used, 0.0)
    assert exertion.last_seen(10.0) == 0.0
    used.now += LEAST_WORK / 2  # as a look at a connection takes
    assert exertion.last_seen(20.0) == 0.0
    used.now += LEAST_WORK
    assert exertion.last_seen(30.0) == 30.0
    assert exertion.last_seen(40.0) == 30.0


def test_the_processor_time_of_a_thread_is_its_own():
    clocks, go_on = [], threading.Event()

    def work():
        clocks.append(processor_time())
        go_on.wait()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(work)
        while not clocks:
            pass
        first = clocks[0]()
        mine = processor_time()
        until = mine() + 10 * LEAST_WORK
        while mine() < until:
            pass
        assert clocks[0]() - first < LEAST_WORK
        go_on.set()
        waiting.result()


def test_a_call_that_waits_hangs_after_the_stall_seconds_and_one_that_computes_does_not(
    monkeypatch,
):
    clock, used = Clock(), Clock()
    monkeypatch.setattr("service.engine.health.processor_time", lambda: used)
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10, on_processor=True, clock=clock)
    health.succeeded()
    health.call_began()
    for _ in range(100):
        clock.now, used.now = clock.now + 9, used.now + 1
        health.check()
        assert health.status().ready
    assert health.seconds_of_call == 900
    clock.now += 11
    assert health.status().reason == "a call of the model hangs"
    with pytest.raises(BackendUnavailableError):
        health.check()
    used.now += 1
    assert health.status().ready
    health.call_ended("sample", 1, 1, None)
    assert health.seconds_of_call == 0


def test_a_call_that_waits_for_a_gpu_hangs_though_its_thread_turns_in_place(monkeypatch):
    clock, used = Clock(), Clock()
    monkeypatch.setattr("service.engine.health.processor_time", lambda: used)
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10, clock=clock)
    health.succeeded()
    health.call_began()
    clock.now, used.now = clock.now + 11, used.now + 11
    assert health.status().reason == "a call of the model hangs"


def test_calls_that_begin_inside_others_do_not_hide_that_all_hang():
    """A request every 20 s put the time off at which a hung server was noticed."""
    clock = Clock()
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10, clock=clock)
    health.succeeded()
    for _ in range(3):
        health.call_began()
        assert health.status().ready
        clock.now += 4
    assert health.status().reason == "a call of the model hangs"
    # Nor does one of them that is given up.
    health.call_ended("sample", 1, 1, AbandonedError(Batch()))
    assert health.status().reason == "a call of the model hangs"


@pytest.mark.parametrize("sign", ["answer", "refusal", "step", "elsewhere"])
def test_calls_inside_others_do_not_hang_while_one_of_them_goes_on(sign):
    clock, answered = Clock(), [0.0]
    health = Health(
        Metrics(),
        fresh_seconds=1,
        stall_seconds=10,
        clock=clock,
        answered_at=lambda: answered[0],
    )
    health.succeeded()
    health.call_began()
    for _ in range(10):
        clock.now += 1
        health.call_began()
        clock.now += 8
        match sign:
            case "answer":
                health.call_ended("sample", 1, 1, None)
            case "refusal":
                health.call_ended("sample", 1, 1, BackendRefusedError("too long"))
            case "step":
                health.call_went_on()
            case "elsewhere":
                answered[0] = clock.now
        assert health.status().ready, sign
        if sign in ("step", "elsewhere"):
            health.call_ended("sample", 1, 1, AbandonedError(Batch()))


def test_the_model_is_thought_well_until_the_probe_after_a_success_has_had_its_time():
    clock = Clock()
    health = Health(Metrics(), fresh_seconds=4, stall_seconds=10, clock=clock)
    health.succeeded()
    clock.now += 3.9
    assert health.recent
    # A probe is due, and has not been answered yet.
    clock.now += 0.2
    assert not health.recent
    assert health.status().ready
    clock.now += 4
    assert health.status().reason == "the model has not answered lately"


def test_a_probe_that_came_behind_a_long_call_finds_nobody_dead(monkeypatch):
    model = FaultyModel()
    model.free.clear()
    engine = Engine(model, Settings(stall_seconds=0.3), Metrics())
    # The call begins between the look and the probe.
    looks = iter([False])
    busy = property(lambda _: next(looks, True))
    monkeypatch.setattr(Health, "busy", busy)
    try:
        anyio.run(engine._prober.probe)
    finally:
        model.free.set()
        engine.close()
    assert next(looks, None) is None


class Asleep(FaultyModel):
    """Does not say whether it is alive."""

    def check_alive(self) -> None:
        self.free.wait()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Asleep, "a look at whether it is alive had no answer within 0.2 s"),
        (
            FaultyModel,
            "a probe, by which it reads one short text, had no answer within 0.3 s; raise "
            "TRAJSIM_STALL_SECONDS if it needs more",
        ),
    ],
)
def test_a_probe_without_an_answer_says_what_it_waited_for_and_how_long(kind, said, monkeypatch):
    """The log had an empty reason."""
    monkeypatch.setattr("service.engine.probing.LOOK_PATIENCE", 0.2)
    monkeypatch.setattr(Health, "busy", False)
    model = kind()
    model.free.clear()
    engine = Engine(model, Settings(stall_seconds=0.3), Metrics())
    try:
        with pytest.raises(BackendTimeoutError) as raised:
            anyio.run(engine._prober.probe)
    finally:
        model.free.set()
        engine.close()
    assert str(raised.value) == said


def test_an_error_without_words_is_logged_by_its_name(caplog):
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10)
    health.failed(TimeoutError())
    assert "the model does not answer: TimeoutError" in caplog.text


def test_another_cause_of_the_same_outage_is_logged_and_none_twice(caplog):
    """A server that was there again, with another's certificate, was logged as one that is away."""
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10)
    for cause in ("refused", "certificate", "refused", "certificate"):
        health.failed(BackendUnavailableError(cause))
    health.succeeded()
    health.failed(BackendUnavailableError("refused"))
    said = [message.removeprefix("the model ") for message in caplog.messages]
    away = "does not answer: "
    assert said == [f"{away}refused", f"{away}certificate", "answers again", f"{away}refused"]


def test_causes_that_are_never_the_same_are_few_lines(caplog):
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10)
    for number in range(100):
        health.failed(BackendUnavailableError(f"no answer for {number} s"))
    assert len(caplog.messages) == MOST_CAUSES


def test_clients_are_sent_away_for_as_long_as_the_model_wants():
    clock = Clock()
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10, clock=clock)
    for error, after, seconds in (
        (BackendUnavailableError("busy", retry_after=10), 4, 6),
        (BackendUnavailableError("busy", retry_after=10), 14, 0),
        (BackendUnavailableError("gone"), 4, None),
    ):
        health.failed(error)
        clock.now += after
        with pytest.raises(BackendUnavailableError) as told:
            health.check()
        assert told.value.retry_after == seconds
