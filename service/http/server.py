"""uvicorn, with what it lacks: slow connections are closed, and it drains before it stops."""

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.http.connection import connection_class
from service.http.descriptors import AcceptFailures, connections_that_fit
from service.http.middleware import Drain, report_unread
from service.http.unreadable import HEAD_BYTES
from service.settings import Settings

logger = logging.getLogger(__name__)

# Longer than clients and balancers keep an idle connection, so that it is they who close it: the
# other way round, a request may be on its way already.
IDLE_SECONDS = 75
# What an answer that is being written when all is given up may still take.
LAST_WORDS_SECONDS = 1


class Server(uvicorn.Server):
    """Says when it is ready; at the first signal it drains, at the second it gives up its requests.

    Draining: not ready any more and no new requests, then those in flight finish within the
    grace period, then the port closes and the process exits 0. Requests that are given up are
    answered 503, or cut off where their answer has begun. A third signal ends it at once.
    """

    def __init__(
        self, app: FastAPI, settings: Settings, announce: Callable[[], None], **options: Any
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            http=connection_class(
                settings.body_seconds,
                settings.write_seconds,
                settings.deadline_seconds,
                connections_that_fit(settings.max_connections),
                app.state.metrics.failure,
                partial(report_unread, app.state.metrics),
            ),
            ws="none",
            h11_max_incomplete_event_size=HEAD_BYTES,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=LAST_WORDS_SECONDS,
            **options,
        )
        super().__init__(config)
        self._settings = settings
        self._drain: Drain = app.state.drain
        self._announce = announce
        self._draining: asyncio.Task[None] | None = None
        self._hurried = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so when the address answers."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(AcceptFailures())
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGHUP for SIGTERM too: a terminal that closes, or a supervisor, sends it."""
        own = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGHUP)
        with super().capture_signals():
            if not own or before == signal.SIG_IGN:
                yield
                return
            signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is open; after a third signal, without waiting for it."""
        await super().shutdown(sockets)
        if self.force_exit:
            # The application is cut off in its waiting, which is no fault to report.
            logging.getLogger("uvicorn.error").disabled = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; a Ctrl-C need not wait for a balancer to notice."""
        if self._loop is None or not self.started or self._hurried:
            self.should_exit = self.force_exit = True
            return
        if self._drain.draining:
            self._hurried = True
            return
        pause = 0.0 if sig == signal.SIGINT else self._settings.drain_seconds
        self._drain.begin()
        self._loop.call_soon_threadsafe(self._begin, pause)

    def _begin(self, pause: float) -> None:
        self._draining = asyncio.create_task(self._finish(pause))

    async def _finish(self, pause: float) -> None:
        began = time.monotonic()

        async def wait(seconds: float) -> bool:
            """Wait a moment if the time is not over; return whether it was not."""
            going = not self._hurried and time.monotonic() - began < seconds
            await asyncio.sleep(0.05 if going else 0)
            return going

        while await wait(pause):
            pass
        while self._unfinished and await wait(self._settings.grace_seconds):
            pass
        if unfinished := self._unfinished:
            logger.warning("giving up requests", extra={"in_flight": unfinished})
            self._drain.give_up()
        self.should_exit = True

    @property
    def _unfinished(self) -> int:
        """Return how many requests have no answer yet, or one that the system has not taken."""
        connections = cast(set[H11Protocol], self.server_state.connections)
        unwritten = sum(
            connection.cycle is not None
            and connection.cycle.response_complete
            and connection.transport.get_write_buffer_size() > 0
            for connection in connections
        )
        return self._drain.in_flight + unwritten
