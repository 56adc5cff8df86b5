"""The choice of a batch from a heap is that of the rule, which looks at every queue each time."""

import math
from copy import copy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.line import LEAD_CALLS, Line
from service.engine.pace import Pace
from service.engine.work import Batch, EmbedRequest, Request, RequestQueue, WorkItem
from similarity.law import Law
from similarity.models.base import SampleRequest

MOST_TOKENS = 300


def by_the_rule(
    queues: list[RequestQueue], pace: Pace, below: float, within: float
) -> tuple[Batch, float]:
    """Return the next batch of queues, and what the first of them had had unless it is urgent.

    The next item is that of the least served queue that may be served and whose next item can join.
    """
    batch, first = Batch(), 0.0
    taken: dict[RequestQueue, float] = {}

    def may(queue: RequestQueue) -> bool:
        if not queue.waiting or not batch.can_take(item := queue.waiting[0]):
            return False
        steps, tokens = max(batch.steps, item.steps), batch.tokens + item.tokens
        short = pace.expected(item.stage, steps, tokens) <= within
        return queue.urgent or (queue.served < below and short)

    while fitting := [queue for queue in queues if may(queue)]:
        queue = min(fitting, key=lambda one: (not one.urgent, one.served + taken.get(one, 0.0)))
        item = queue.waiting[0]
        if batch and batch.tokens + item.tokens > pace.tokens(item.stage):
            break
        if not batch and not queue.urgent:
            first = queue.served
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
        RequestQueue(served=draw(seconds), urgent=draw(st.integers(0, 9)) == 9)
        for _ in range(draw(st.integers(0, 5)))
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
    for queue in queues:
        queue.waiting.extend(data.draw(st.lists(items(), min_size=1, max_size=5)))
        line.add(queue)
    clock, lead = 0.0, LEAD_CALLS * pace.seconds
    for _ in range(data.draw(st.integers(1, 4))):
        below = data.draw(st.sampled_from([math.inf, 0.25]))
        within = data.draw(st.sampled_from([math.inf, 0.05, 0.2]))
        copies = [copy(queue) for queue in line.queues]
        for one in copies:
            one.waiting = one.waiting.copy()
        expected, first = by_the_rule(copies, pace, below, within)
        batch = line.take(below, within)
        assert batch.items == expected.items
        assert all(queue.waiting for queue in line.queues)
        # New queues begin a lead before where the least served one was.
        clock = max(clock, first)
        assert _begins(line) == max(0, clock - lead)
        if batch:
            line.charge(batch, 0.1)
            # And at least with an equal share of the time since.
            clock += 0.1 / len({queue for queue, _ in batch}.union(line.queues))
            assert _begins(line) == pytest.approx(max(0, clock - lead))


def _begins(line: Line) -> float:
    newcomer = RequestQueue()
    line.add(newcomer)
    line.remove(newcomer)
    return newcomer.served


def _asking(line: Line, count: int) -> RequestQueue:
    """Return a queue of so many items, which waits in a line."""
    queue = RequestQueue()
    for _ in range(count):
        request = SampleRequest(prefix=(1,), n=1, max_tokens=10, key=0)
        queue.waiting.append(WorkItem(request, Law(), (), 100))
    line.add(queue)
    return queue


@settings(max_examples=30)
@given(data=st.data())
def test_a_request_has_its_share_of_the_model_whoever_comes_after_it(data: st.DataObject) -> None:
    """New queues began with the least served, which was often new itself.

    Then one that had been served for a time got nothing as long as others came.
    """
    line = Line(Pace(0.125, data.draw(st.sampled_from([100, MOST_TOKENS]))))
    long = _asking(line, 600)
    # Each of these clients sends its next request as soon as the last one is answered.
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    asking = [_asking(line, count) for count in counts]
    seconds = st.sampled_from([0.01, 0.1, 1.0])
    durations = data.draw(st.lists(seconds, min_size=1, max_size=10))
    passed = 0.0
    for number in range(200):
        batch = line.take()
        took = durations[number % len(durations)]
        line.charge(batch, took, [batch])
        passed += took
        asking = [
            one if one.waiting else _asking(line, count)
            for one, count in zip(asking, counts, strict=True)
        ]
    lead = LEAD_CALLS * 0.125
    assert long.served > passed / (len(counts) + 1) - 2 * max(durations) - lead


def test_a_short_request_does_not_wait_for_half_of_many_long_ones() -> None:
    """It began with an equal share, which about half of the long ones have not had at any time."""
    line = Line(Pace(0.125, 100))
    for _ in range(48):
        _asking(line, 100)
    random = Random(1)
    for _ in range(480):
        line.charge(line.take(), random.uniform(0.1, 0.4))
    for _ in range(20):
        short = _asking(line, 1)
        assert [queue for queue, _ in line.take()] == [short]
        for _ in range(random.randrange(100)):
            line.charge(line.take(), random.uniform(0.1, 0.4))
