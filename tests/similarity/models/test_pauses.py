"""In the middle of a long reading something else is read, and both are what they are alone."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.errors import BackendUnavailableError
from similarity.law import Law
from similarity.models import local
from similarity.models.base import (
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.local import LocalModel, load_local
from similarity.models.pauses import LEAST_TOKENS
from tests.tiny_models import ARCHITECTURES, save_tiny_model

Loader = Callable[[str], LocalModel]
LONG: TokenIds = tuple(range(3, 83))
OTHER: TokenIds = (7, 5, 9, 11)
CONTINUATIONS = ((4, 5, 6), (8,), (9, 9))


@pytest.fixture(params=ARCHITECTURES)
def model(
    tiny: Loader, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> LocalModel:
    """Return a tiny model that makes pauses in readings of any length."""
    loaded = tiny(request.param)
    monkeypatch.setattr(loaded.network.pauses, "_least", 0)
    return loaded


def everything(
    model: LocalModel, prefix: TokenIds, on_progress: OnProgress = ignore_progress
) -> list[Any]:
    """Return what a model gives after a prefix, as it is."""
    sampled = model.sample(
        [SampleRequest(prefix=prefix, n=3, max_tokens=4, key=7)], Law(), on_progress
    )
    scored = model.score(
        [ScoreRequest(prefix=prefix, continuations=CONTINUATIONS)], Law(), on_progress
    )
    return [
        *(continuation.token_ids for continuation in sampled[0]),
        *(row.tobytes() for row in scored[0]),
        model.next_states([prefix], on_progress).tobytes(),
        model.next_log_probs([prefix], [3, 9], on_progress).tobytes(),
        model.hidden_states([prefix], on_progress)[0].tobytes(),
    ]


def test_readings_one_inside_the_other_are_what_they_are_alone(model: LocalModel) -> None:
    for prefix in (LONG, OTHER):
        everything(model, prefix)
    alone, other = everything(model, LONG), everything(model, OTHER)
    assert model.network.pauses.work
    calls, between = 0, list[list[Any]]()

    def read_another(_finished: int) -> None:
        nonlocal calls
        calls += 1
        if calls % 17 == 1:
            between.append(everything(model, OTHER, ignore_progress))

    assert everything(model, LONG, read_another) == alone
    assert len(between) > 3
    assert all(found == other for found in between)


def test_a_reading_at_a_pause_has_pauses_of_its_own(model: LocalModel) -> None:
    everything(model, LONG)
    alone = everything(model, LONG)
    inner: list[int] = []
    outer: list[int] = []

    def read_another(finished: int) -> None:
        outer.append(finished)
        if len(outer) == 5:
            model.next_states([OTHER], inner.append)

    assert everything(model, LONG, read_another) == alone
    assert len(inner) > 3


def test_what_a_pause_raises_ends_the_reading_and_nothing_else(model: LocalModel) -> None:
    everything(model, LONG)
    alone, network = everything(model, LONG), model.network
    can = (network.packs, network.caches, network.pads, network.pads_state)
    calls = 0

    def end(_finished: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise BackendUnavailableError("enough")

    with pytest.raises(BackendUnavailableError, match="enough"):
        model.score([ScoreRequest(prefix=LONG, continuations=CONTINUATIONS)], Law(), end)
    assert calls == 7
    assert can == (network.packs, network.caches, network.pads, network.pads_state)
    assert everything(model, LONG) == alone


READINGS: dict[str, Callable[[LocalModel, TokenIds, OnProgress], Any]] = {
    "sample": lambda model, prefix, on_progress: model.sample(
        [SampleRequest(prefix=prefix, n=1, max_tokens=3, key=7)], Law(), on_progress
    ),
    "score": lambda model, prefix, on_progress: model.score(
        [ScoreRequest(prefix=prefix, continuations=CONTINUATIONS)], Law(), on_progress
    ),
    "distributions": lambda model, prefix, _: model.distributions(
        [ScoreRequest(prefix=prefix, continuations=CONTINUATIONS)], Law()
    ),
    "next states": lambda model, prefix, on_progress: model.next_states([prefix], on_progress),
    "next log probs": lambda model, prefix, on_progress: model.next_log_probs(
        [prefix], [3, 9], on_progress
    ),
    "hidden states": lambda model, prefix, on_progress: model.hidden_states([prefix], on_progress),
}


@pytest.fixture
def llama(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    """Return one tiny model that makes pauses in readings of any length."""
    loaded = tiny("llama")
    monkeypatch.setattr(loaded.network.pauses, "_least", 0)
    return loaded


@pytest.mark.parametrize("inner", READINGS)
@pytest.mark.parametrize("outer", [name for name in READINGS if name != "distributions"])
def test_what_is_read_for_somebody_else_has_no_pause_of_the_call_around_it(
    llama: LocalModel, outer: str, inner: str
) -> None:
    """Between two steps, where nothing is being read, it had."""
    inside = False
    reports = 0

    def read_another(_finished: int) -> None:
        nonlocal inside, reports
        assert not inside
        inside, reports = True, reports + 1
        READINGS[inner](llama, OTHER, ignore_progress)
        inside = False

    READINGS[outer](llama, LONG, read_another)
    assert reports > 1


@pytest.mark.parametrize("outer", [name for name in READINGS if name != "distributions"])
def test_an_error_ends_the_reading_whose_it_is_and_no_other(llama: LocalModel, outer: str) -> None:
    reports = ended = 0

    def end(_finished: int) -> None:
        raise BackendUnavailableError("the inner one")

    def read_another(_finished: int) -> None:
        nonlocal reports, ended
        reports += 1
        with pytest.raises(BackendUnavailableError, match="the inner one"):
            llama.hidden_states([OTHER], end)
        ended += 1

    READINGS[outer](llama, LONG, read_another)
    assert reports == ended > 1


def test_an_error_of_a_pause_passes_the_calls_in_which_it_was_not_set(llama: LocalModel) -> None:
    pauses, passed = llama.network.pauses, []

    def end() -> None:
        raise BackendUnavailableError("enough")

    def read() -> None:
        # As a call that sets the pause of a call around it again.
        with pauses.calling(lambda: None):
            try:
                with pauses.calling(lambda: None), pauses._set(end):
                    llama.network.read(llama.network._probe_ids(6))
            except BackendUnavailableError:
                passed.append("taken for its own")

    with pytest.raises(BackendUnavailableError, match="enough"), pauses.calling(end):
        read()
    assert passed == []


def test_short_readings_have_none(tiny: Loader) -> None:
    reported: list[int] = []
    tiny("llama").next_states([LONG], reported.append)
    assert len(LONG) < LEAST_TOKENS
    assert reported == [1]


def test_readings_of_other_threads_are_not_paused(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama")
    monkeypatch.setattr(model.network.pauses, "_least", 0)
    alone = model.next_states([OTHER])
    threads: set[int] = set()
    found: list[Any] = []

    def read_in_a_thread(_finished: int) -> None:
        threads.add(threading.get_ident())
        if not found:
            thread = threading.Thread(target=lambda: found.append(model.next_states([OTHER])))
            thread.start()
            thread.join()

    model.next_states([LONG], read_in_a_thread)
    assert threads == {threading.get_ident()}
    np.testing.assert_array_equal(found[0], alone)


def test_a_network_that_keeps_what_it_reads_is_not_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of whose layers adds, at its end, what another left in the network itself."""
    load = local.load_pretrained

    def load_keeping(source: str, **options: Any) -> Any:
        module, *rest = load(source, **options)
        first, second = module.model.layers
        plain_first, plain_second = first.forward, second.forward

        def keep(*given: Any, **named: Any) -> Any:
            module.kept = plain_first(*given, **named)
            return module.kept

        first.forward = keep
        second.forward = lambda *given, **named: plain_second(*given, **named) + module.kept
        return module, *rest

    monkeypatch.setattr(local, "load_pretrained", load_keeping)
    model = load_local(str(save_tiny_model("llama", tmp_path / "llama")))
    assert not model.network.pauses.work
    assert dict(model.findings)["pauses of long readings"] == "none"
    monkeypatch.setattr(model.network.pauses, "_least", 0)
    reported: list[int] = []
    model.next_states([LONG], reported.append)
    assert reported == [1]
