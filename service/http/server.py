"""uvicorn, with what it lacks: a time limit for request heads, and a drain before it stops."""

import asyncio
import logging
import signal
import socket
import time
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from types import FrameType
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.http.middleware import Drain
from service.settings import Settings

logger = logging.getLogger(__name__)

# Longer than clients and balancers keep an idle connection, so that it is they who close it: the
# other way round, a request may be on its way already.
IDLE_SECONDS = 75
# What an answer that is being written when all is given up may still take.
LAST_WORDS_SECONDS = 1


def head_limited(seconds: float) -> type[asyncio.Protocol]:
    """Return a protocol that closes connections whose request head takes longer to arrive."""

    class HeadLimited(H11Protocol):
        _head_timer: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            elif self._head_timer is None:
                self._await_head()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            # The next head may have begun to arrive while this answer was written.
            begun, _ = self.conn.trailing_data
            if begun and self.conn.their_state is h11.IDLE and self._head_timer is None:
                self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _await_head(self) -> None:
            self._head_timer = self.loop.call_later(seconds, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return HeadLimited


class Server(uvicorn.Server):
    """Says when it is ready; at the first signal it drains, at the second it stops at once.

    Draining: not ready any more and no new requests, then those in flight finish within the
    grace period, then the port closes and the process exits 0.
    """

    def __init__(
        self, app: FastAPI, settings: Settings, announce: Callable[[], None], **options: Any
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            http=head_limited(settings.body_seconds),
            ws="none",
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=LAST_WORDS_SECONDS,
            **options,
        )
        super().__init__(config)
        self._settings = settings
        self._drain: Drain = app.state.drain
        self._announce = announce
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so when the address answers."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; a Ctrl-C need not wait for a balancer to notice."""
        if self._drain.draining or self._loop is None or not self.started:
            self.should_exit = self.force_exit = True
            return
        pause = 0.0 if sig == signal.SIGINT else self._settings.drain_seconds
        self._drain.begin()
        self._loop.call_soon_threadsafe(self._begin, pause)

    def _begin(self, pause: float) -> None:
        self._draining = asyncio.create_task(self._finish(pause))

    async def _finish(self, pause: float) -> None:
        began = time.monotonic()
        await asyncio.sleep(pause)
        while self._drain.in_flight and time.monotonic() - began < self._settings.grace_seconds:
            await asyncio.sleep(0.05)
        if self._drain.in_flight:
            logger.warning("giving up requests", extra={"in_flight": self._drain.in_flight})
            self._drain.give_up()
        self.should_exit = True
