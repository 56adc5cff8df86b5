"""The choice of a batch from a heap is that of the rule, which looks at every queue each time."""

import math
from copy import copy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.line import FADING_SECONDS, LEAD_CALLS, MOST_NEEDED, Line
from service.engine.pace import Pace
from service.engine.work import Batch, EmbedRequest, Request, RequestQueue, WorkItem
from similarity.law import Law
from similarity.models.base import SampleRequest

MOST_TOKENS = 300


def by_the_rule(
    queues: list[RequestQueue], pace: Pace, lead: float, below: float, within: float
) -> tuple[Batch, float]:
    """Return the next batch of queues, and what the first of them had had unless it is urgent.

    The next item is that of the least served queue that may be served and whose next item can join.
    Short ones have a lead.
    """
    batch, first = Batch(), 0.0
    taken: dict[RequestQueue, float] = {}

    def may(queue: RequestQueue) -> bool:
        if not queue.waiting or not batch.can_take(item := queue.waiting[0]):
            return False
        steps, tokens = max(batch.steps, item.steps), batch.tokens + item.tokens
        short = pace.expected(item.stage, steps, tokens) <= within
        return queue.urgent or (had(queue) < below and short)

    def had(queue: RequestQueue) -> float:
        return queue.served - lead * (not queue.long)

    while fitting := [queue for queue in queues if may(queue)]:
        queue = min(fitting, key=lambda one: (not one.urgent, had(one) + taken.get(one, 0.0)))
        item = queue.waiting[0]
        if batch and batch.tokens + item.tokens > pace.tokens(item.stage):
            break
        if not batch and not queue.urgent:
            first = had(queue)
        batch.add(queue, queue.waiting.popleft())
        own = pace.expected(item.stage, item.steps, item.tokens)
        taken[queue] = taken.get(queue, 0.0) + own
    return batch, first


@st.composite
def items(draw: st.DrawFn) -> WorkItem:
    """Draw an item: most are alike, so that most can join."""
    tokens = draw(st.sampled_from([0, 1, 50, 100, 100, 500]))
    steps = draw(st.sampled_from([10, 10, 20, 21]))
    request: Request = SampleRequest(prefix=(1,), n=1, max_tokens=steps, key=0)
    if draw(st.integers(0, 6)) == 6:
        request = EmbedRequest("text", ("profile",))
    temperature = draw(st.sampled_from([1.0, 1.0, 1.0, 1.0, 2.0]))
    return WorkItem(request, Law(temperature=temperature), (), tokens)


@st.composite
def lines(draw: st.DrawFn) -> list[RequestQueue]:
    seconds = st.sampled_from([0.0, 0.0, 0.1, 0.25, 1.0])
    return [
        RequestQueue(served=draw(seconds), urgent=draw(st.integers(0, 9)) == 9, long=long)
        for long in draw(st.lists(st.booleans(), max_size=5))
    ]


@settings(max_examples=300)
@given(queues=lines(), data=st.data())
@pytest.mark.parametrize("known", [False, True])
def test_a_batch_is_what_the_rule_says(
    known: bool, queues: list[RequestQueue], data: st.DataObject
) -> None:
    pace = Pace(0.125, MOST_TOKENS)
    if known:
        for tokens in (10, 100, 300):
            pace.note("sample", 20, tokens, tokens / 2_000)
            pace.note("embed", 1, tokens, 0.01 + tokens / 10_000)
    line = Line(pace)
    clock, needed = 0.0, 0.0
    for queue in queues:
        queue.waiting.extend(data.draw(st.lists(items(), min_size=1, max_size=5)))
        line.add(queue)
        if not queue.long:
            expected = [pace.expected(one.stage, one.steps, one.tokens) for one in queue.waiting]
            needed = max(needed, min(sum(expected), MOST_NEEDED))
    for _ in range(data.draw(st.integers(1, 4))):
        below = data.draw(st.sampled_from([math.inf, 0.25, -0.25]))
        within = data.draw(st.sampled_from([math.inf, 0.05, 0.2]))
        copies = [copy(queue) for queue in line.queues]
        for one in copies:
            one.waiting = one.waiting.copy()
        lead = LEAD_CALLS * pace.seconds + needed
        expected_batch, first = by_the_rule(copies, pace, lead, below, within)
        batch = line.take(below, within)
        assert batch.items == expected_batch.items
        assert all(queue.waiting for queue in line.queues)
        # New queues begin where the least served one was.
        clock = max(clock, first)
        assert _begins(line) == pytest.approx(clock)
        if batch:
            line.charge(batch, 0.1)
            # And at least with an equal share of the time since, of which one is for short ones.
            there = {queue for queue, _ in batch}.union(line.queues)
            clock += 0.1 / (len(there) + all(queue.long for queue in there))
            assert _begins(line) == pytest.approx(clock)
            needed *= math.exp(-0.1 / FADING_SECONDS)


def _begins(line: Line) -> float:
    newcomer = RequestQueue()
    line.add(newcomer)
    line.remove(newcomer)
    return newcomer.served


def _asking(line: Line, count: int, *, long: bool = False) -> RequestQueue:
    """Return a queue of so many items, which waits in a line."""
    queue = RequestQueue(long=long)
    for _ in range(count):
        request = SampleRequest(prefix=(1,), n=1, max_tokens=10, key=0)
        queue.waiting.append(WorkItem(request, Law(), (), 100))
    line.add(queue)
    return queue


def _line(most_tokens: int = 100) -> Line:
    """Return a line of a model whose calls take an eighth of a second, for one item."""
    pace = Pace(0.125, most_tokens)
    pace.note("sample", 10, 100, 0.125)
    return Line(pace)


def _serve(line: Line, seconds: float = 0.125) -> set[RequestQueue]:
    """Make a call that takes so long; return the queues that it serves."""
    batch = line.take()
    line.charge(batch, seconds, [batch])
    return {queue for queue, _ in batch}


def _seconds_of(line: Line, queue: RequestQueue) -> float:
    """Return how long it takes until a queue is answered."""
    calls = 0
    while queue.waiting:
        _serve(line)
        calls += 1
    return calls * 0.125


@settings(max_examples=30)
@given(data=st.data())
def test_a_request_has_its_share_of_the_model_whoever_comes_after_it(data: st.DataObject) -> None:
    """New queues began with the least served, which was often new itself.

    Then one that had been served for a time got nothing as long as others came.
    """
    line = _line(data.draw(st.sampled_from([100, MOST_TOKENS])))
    long = _asking(line, 600, long=True)
    # Each of these clients sends its next request as soon as the last one is answered.
    counts = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=8))
    asking = [_asking(line, count) for count in counts]
    seconds = st.sampled_from([0.01, 0.1, 1.0])
    durations = data.draw(st.lists(seconds, min_size=1, max_size=10))
    passed = 0.0
    for number in range(200):
        took = durations[number % len(durations)]
        _serve(line, took)
        passed += took
        asking = [
            one if one.waiting else _asking(line, count)
            for one, count in zip(asking, counts, strict=True)
        ]
    lead = (LEAD_CALLS + max(counts)) * 0.125
    assert long.served > passed / (len(counts) + 1) - 2 * max(durations) - lead


@pytest.mark.parametrize("fresh", [True, False])
def test_a_short_request_does_not_wait_for_half_of_many_long_ones(fresh: bool) -> None:
    """It began with an equal share, which about half of the long ones have not had at any time.

    On a service that was used before, the long ones had the same lead.
    """
    line = _line()
    if not fresh:
        _seconds_of(line, _asking(line, 100))
    for _ in range(48):
        _asking(line, 100, long=True)
    random = Random(1)
    for _ in range(480):
        _serve(line, random.uniform(0.1, 0.4))
    for _ in range(20):
        short = _asking(line, 1)
        assert _serve(line) == {short}
        for _ in range(random.randrange(100)):
            _serve(line, random.uniform(0.1, 0.4))


@pytest.mark.parametrize("fresh", [True, False])
def test_a_short_request_that_takes_seconds_goes_before_long_ones(fresh: bool) -> None:
    """Its lead was half a second, and then it had a tenth of the model: 4 s took 36."""
    line = _line()
    if not fresh:
        _seconds_of(line, _asking(line, 100))
    for _ in range(9):
        _asking(line, 1_000, long=True)
    for _ in range(20):
        _serve(line)
    for _ in range(20):
        assert _seconds_of(line, _asking(line, 32)) < 4.5
        # While none is there, a tenth of the model is kept for the next.
        for _ in range(400):
            _serve(line)


def test_a_client_that_sends_short_requests_all_the_time_has_an_equal_share() -> None:
    line = _line()
    long = [_asking(line, 1_000, long=True) for _ in range(9)]
    calls, short = 1_600, _asking(line, 32)
    for _ in range(calls):
        _serve(line)
        short = short if short.waiting else _asking(line, 32)
    lead = LEAD_CALLS * 0.125 + 32 * 0.125
    for one in long:
        assert one.spent > calls * 0.125 / 10 - lead - 0.5


def test_short_requests_are_served_alike_among_themselves() -> None:
    line = _line()
    for _ in range(9):
        _asking(line, 500, long=True)
    few, many = [_asking(line, 8) for _ in range(8)], [_asking(line, 16) for _ in range(8)]
    for _ in range(8 * 16):
        assert _serve(line) <= {*few, *many}
    assert not any(one.waiting for one in few)
    assert {len(one.waiting) for one in many} == {8}


def test_a_request_that_needs_little_goes_before_long_ones_that_others_put_back() -> None:
    """If each had a lead by its own need, it would wait until all of those had caught up."""
    line = _line()
    for _ in range(9):
        _asking(line, 1_000, long=True)
    short = _asking(line, 32)
    for _ in range(400):  # until the long ones are a whole lead behind
        _serve(line)
        short = short if short.waiting else _asking(line, 32)
    _seconds_of(line, short)
    assert _seconds_of(line, _asking(line, 1)) <= 10 * 0.125


def test_a_new_long_request_does_not_wait_until_others_have_caught_up() -> None:
    line = _line()
    for _ in range(9):
        _asking(line, 1_000, long=True)
    for _ in range(8):  # these are put back by it
        _seconds_of(line, _asking(line, 32))
    new = _asking(line, 100, long=True)
    assert any(new in _serve(line) for _ in range(12))


def test_a_pace_that_is_far_off_gives_a_lead_of_seconds() -> None:
    pace = Pace(0.125, 100)
    pace.note("sample", 10, 100, 1_000.0)
    line = Line(pace)
    long = _asking(line, 100, long=True)
    calls = 0
    while not long.spent:
        if len(line) == 1:
            _asking(line, 1)
        _serve(line)
        calls += 1
    # Of two it is behind by the lead at most.
    assert calls * 0.125 < 2 * (MOST_NEEDED + LEAD_CALLS * 0.125) + 1
