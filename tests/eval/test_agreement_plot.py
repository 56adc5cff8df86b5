"""Which points the picture of agreement has."""

from pathlib import Path
from typing import Any

from eval.agreement_plot import agreement_by_subset, plot_agreement
from eval.runs import Run


def method(**subsets: tuple[int, float | None]) -> dict[str, Any]:
    found = {name: {"pairs": pairs, "spearman": s} for name, (pairs, s) in subsets.items()}
    return {"spearman": {"subsets": found}}


RUN = Run(
    "mine",
    "mine",
    Path(),
    {
        "methods": {"fast": {}, "word overlap": {}},
        "tasks": {
            "one": {
                "methods": {
                    "fast": method(all=(60, 70.0)),
                    "word overlap": method(all=(60, 50.0)),
                }
            },
            "two": {
                "methods": {
                    "fast": method(news=(20, 80.0), same=(20, None), forums=(19, 10.0)),
                    "word overlap": method(news=(20, 40.0), same=(20, 30.0), forums=(19, 20.0)),
                }
            },
        },
    },
)


def test_small_subsets_are_left_out_and_a_task_of_one_has_its_own_name() -> None:
    assert agreement_by_subset(RUN, RUN.methods) == {
        "one": {"fast": 70.0, "word overlap": 50.0},
        "two: news": {"fast": 80.0, "word overlap": 40.0},
        "two: same": {"word overlap": 30.0},
    }
    assert agreement_by_subset(RUN, ["fast"]) == {
        "one": {"fast": 70.0},
        "two: news": {"fast": 80.0},
    }


def test_a_method_may_miss_a_subset(tmp_path: Path) -> None:
    path = tmp_path / "new" / "picture.png"
    plot_agreement({"one": {"a": 1.0, "b": 2.0}, "two": {"a": 3.0}}, path)
    assert path.read_bytes().startswith(b"\x89PNG")
