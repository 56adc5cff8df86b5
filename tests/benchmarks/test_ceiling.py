import copy
from collections.abc import Callable

import pytest

from benchmarks.ceiling import Work, profile_work, trajectory_work, weights
from benchmarks.scale import fit
from similarity.models.local import LocalModel


def test_a_pair_of_the_paper_needs_1550_tokens() -> None:
    # Two prefixes of 15 tokens; 20 trajectories of 19 read tokens each, after either text.
    work = trajectory_work([15, 15], [[20] * 20, [20] * 20])
    assert work == Work(tokens=2 * 15 + 4 * 20 * 19, places=2 + 4 * 20 * 19)


def test_trajectories_that_end_early_need_less() -> None:
    assert trajectory_work([3, 4], [[1, 1], [2, 1]]) == Work(tokens=7 + 2, places=2 + 2)


def test_what_profiles_share_is_read_once() -> None:
    prefixes = [(1, 2, 3, 9), (1, 2, 4, 5, 9), (1, 2, 3)]
    assert profile_work(prefixes) == Work(tokens=2 + 2 + 3 + 1, places=0)
    assert profile_work([(1, 2)]) == Work(tokens=2, places=0)
    assert profile_work([]) == Work(0, 0)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_weights_leave_the_table_of_tokens_out(
    architecture: str, tiny: Callable[[str], LocalModel]
) -> None:
    model = tiny(architecture)
    body, head = weights(model)
    module = copy.deepcopy(model.network.module)
    named = dict(module.named_parameters())
    tables = [name for name in named if any(each in name for each in ("embed_tokens", "wte"))]
    others = sum(p.numel() for n, p in named.items() if n not in tables and "lm_head" not in n)
    assert body == others
    assert head == 258 * 32
    assert Work(tokens=3, places=2).flops(model) == 2 * (3 * body + 2 * head)


def test_a_fit_finds_the_powers_that_a_series_was_made_of() -> None:
    x = [5.0, 10.0, 20.0, 40.0]
    seconds = [0.5 * n + 0.01 * n**2 for n in x]
    found = fit("trajectories, texts", {"x": x, "seconds": seconds})
    assert found[1] == pytest.approx(0.5)
    assert found[2] == pytest.approx(0.01)
