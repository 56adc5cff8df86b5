"""Watches how long a service takes to answer a probe, from a process of its own.

Beside hundreds of clients in one process, that process's own delays would be measured.
"""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

PAUSE = 0.02


class Watched(list[float]):
    """Seconds that each probe took."""

    def percentile(self, share: float) -> float:
        """Return the seconds that this share of the probes took at most."""
        return sorted(self)[max(0, math.ceil(share * len(self)) - 1)]


@contextmanager
def watching(url: str) -> Iterator[Watched]:
    """Probe an address as long as the block runs; the seconds are there afterwards."""
    command = [sys.executable, "-m", "tests.service.watching", url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "watching\n"
    found = Watched()
    try:
        yield found
    finally:
        found.extend(json.loads(process.communicate("end\n")[0]))


def _watch(url: str) -> None:
    ended = threading.Event()
    seconds = []
    with httpx.Client(timeout=60) as http:
        http.get(url)
        print("watching", flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(1), ended.set()), daemon=True).start()
        while not ended.wait(PAUSE):
            began = time.monotonic()
            http.get(url).raise_for_status()
            seconds.append(time.monotonic() - began)
    print(json.dumps(seconds))


if __name__ == "__main__":
    _watch(sys.argv[1])
