"""A Ray cluster of two machines, which are processes of this one; commands run beside it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "RAY_USAGE_STATS_ENABLED": "0",
    # By default workers give way to all else on a machine; here they are what is waited for.
    "RAY_worker_niceness": "0",
    # Machines of this size are always nearly full; a worker is lost here only where it is killed.
    "RAY_memory_monitor_refresh_ms": "0",
}
# Paths of Unix sockets must be short.
TEMPORARY = Path(tempfile.gettempdir()) / "trajsim-ray"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Give a cluster of two machines of one CPU each."""
    utils = pytest.importorskip("ray.cluster_utils", reason="needs ray[data] and pyarrow")
    # Ray writes a cluster's address there, and makes it only for machines without their own folder.
    Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        started = utils.Cluster()
        for _ in range(2):
            add_machine(started)
        yield started
        started.shutdown()


def add_machine(cluster: Any) -> None:
    """Give a cluster a machine of one CPU."""
    cluster.add_node(
        num_cpus=1, object_store_memory=2**27, temp_dir=str(TEMPORARY), include_dashboard=False
    )


def arguments(*command: str) -> list[str]:
    """Return how a command of trajsim is started with this Python."""
    return [sys.executable, "-m", "similarity", *command]


def run_trajsim(folder: Path, *command: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of trajsim in a folder."""
    done = subprocess.run(
        arguments(*command),
        env={**os.environ, **ENVIRONMENT},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert (done.returncode == 0) is ok, done.stderr
    return done


@pytest.fixture
def trajsim(tmp_path: Path) -> Command:
    """Return a function that runs a command of trajsim in a folder of the test's own."""
    return partial(run_trajsim, tmp_path)
