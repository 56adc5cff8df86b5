"""Real servers for tests: in a thread on any model, or as the process that `trajsim serve` is."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.http.app import create_app
from service.http.server import Server
from service.settings import Settings
from similarity.models.base import LanguageModel

PATIENCE = 30.0


@contextmanager
def running(model: LanguageModel, **settings: object) -> Iterator[str]:
    """Serve a model in a thread; give the server's address."""
    with serving(model, **settings) as (url, _):
        yield url


@contextmanager
def serving(model: LanguageModel, **settings: object) -> Iterator[tuple[str, Server]]:
    """Serve a model in a thread; give the server's address, and the server."""
    chosen = Settings(port=0, **settings)
    listening = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    server = Server(create_app(chosen, lambda: model), chosen, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def stand_still(server: Server, seconds: float) -> None:
    """Have a server's loop do nothing for a time, from now on, as a process that is stopped."""
    begun = threading.Event()

    def sleep() -> None:
        begun.set()
        time.sleep(seconds)

    assert server._loop is not None
    server._loop.call_soon_threadsafe(sleep)
    assert begun.wait(PATIENCE)


class ServeProcess:
    """`trajsim serve` on a free port; what it printed until it was ready is in `announced`.

    Parameters
    ----------
    open_files
        How many files it may open, less and at most; None for as many as this process.
    """

    def __init__(
        self, *options: str, open_files: tuple[int, int] | None = None, **environment: str
    ) -> None:
        command = [sys.executable, "-m", "similarity", "serve", "--port", "0", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        if open_files is not None:
            # It is looked at only once all is imported.
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, open_files)
        assert self.process.stdout is not None
        self.announced = ""
        while "\n\n" not in self.announced.partition("-d ")[2]:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(self.process.communicate()[1])
            self.announced += line
        match = re.search(r"ready: (http://\S+)", self.announced)
        assert match is not None
        self.url = match[1]

    def __enter__(self) -> "ServeProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what was written to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


def eventually(condition: Callable[[], bool], patience: float = 30.0) -> bool:
    """Wait for a condition; return whether it came true in time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
