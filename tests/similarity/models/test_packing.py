import torch
from hypothesis import given
from hypothesis import strategies as st

from similarity.models.base import ScoreRequest
from similarity.models.packing import Pack, batches, make_packs, pack_tokens, visible

token_ids = st.lists(st.integers(2, 50), min_size=1, max_size=9).map(tuple)
requests = st.builds(
    ScoreRequest,
    prefix=token_ids,
    continuations=st.lists(token_ids, min_size=1, max_size=8).map(tuple),
)


@given(request=requests, max_tokens=st.integers(0, 40))
def test_every_token_is_predicted_once_and_from_the_right_place(
    request: ScoreRequest, max_tokens: int
) -> None:
    length = len(request.prefix)
    seen = {}
    for pack in make_packs(0, request, max_tokens):
        assert len(pack.ids) <= max_tokens or pack.plain
        for segment, (number, places, tokens) in enumerate(pack.targets, 1):
            seen[number] = tokens
            # The first is predicted by the end of the prefix, the next by the one before.
            assert places[0] == length - 1
            assert [pack.ids[place] for place in places[1:]] == list(tokens[:-1])
            assert [pack.positions[place] for place in places] == list(
                range(length - 1, length - 1 + len(tokens))
            )
            assert {pack.segments[place] for place in places[1:]} <= {segment}
    assert [seen[i] for i in range(len(seen))] == list(request.continuations)


def room_needed(lengths: list[int], packs: int) -> int:
    """Return the least room in which continuations fit, in turn, into so many packs."""
    if packs == 1:
        return sum(lengths)
    cuts = range(1, len(lengths) - packs + 2)
    return min(max(sum(lengths[:i]), room_needed(lengths[i:], packs - 1)) for i in cuts)


@given(request=requests, room=st.integers(9, 40))
def test_packs_are_few_and_the_longest_is_short(request: ScoreRequest, room: int) -> None:
    prefix = len(request.prefix)
    lengths = [len(continuation) - 1 for continuation in request.continuations]
    packs = list(make_packs(0, request, prefix + room))
    counts = range(1, len(lengths) + 1)
    fewest = next(n for n in counts if room_needed(lengths, n) <= room)
    assert len(packs) == fewest
    longest = max(len(pack.ids) for pack in packs)
    assert longest == prefix + room_needed(lengths, fewest)


def test_continuations_of_a_long_prefix_share_it() -> None:
    continuations = tuple((i, *range(2, 21)) for i in range(20))
    for length, count in ((14, 4), (100, 2), (1000, 1)):
        request = ScoreRequest(prefix=(7,) * length, continuations=continuations)
        assert len(list(make_packs(0, request, pack_tokens(length)))) == count


def test_visibility_by_hand() -> None:
    # Prefix of two, continuations of two and one, one place of padding.
    (seen,) = visible(torch.tensor([[0, 0, 1, 1, 2, -1]])).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]


@given(sizes=st.lists(st.integers(1, 30), max_size=20), max_tokens=st.integers(1, 60))
def test_batches_keep_to_the_budget_and_lose_nothing(sizes: list[int], max_tokens: int) -> None:
    packs = [Pack(i, [5] * size, [0] * size, [0] * size) for i, size in enumerate(sizes)]
    owners = []
    for batch in batches(packs, max_tokens):
        owners += [pack.owner for pack in batch]
        assert len(batch) == 1 or len(batch) * max(len(p.ids) for p in batch) <= max_tokens
    assert sorted(owners) == list(range(len(sizes)))
