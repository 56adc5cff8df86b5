"""Durations are of a clock that never jumps: the time of day is for dates alone."""

import ast
from pathlib import Path

from tests.conftest import ROOT

# Where the time of day is what is meant.
DATES = {
    "similarity/storage/store.py",  # when an entry was used last
    "similarity/connections.py",  # a date in Retry-After
    "service/engine/engine.py",  # "created" of the model
    "service/http/routes/vllm.py",  # "created" of an answer
}


def reads_time_of_day(path: Path) -> bool:
    names = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    }
    return bool(names & {"time.time", "time", "datetime.now", "datetime.datetime.now"})


def test_only_dates_are_of_the_time_of_day() -> None:
    files = [
        path
        for package in ("similarity", "service", "eval")
        for path in (ROOT / package).rglob("*.py")
    ]
    found = {str(path.relative_to(ROOT)) for path in files if reads_time_of_day(path)}
    assert found == DATES
