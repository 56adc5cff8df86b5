"""Finds out whether the model answers: by a look at its backend, and by a reading of its own."""

import asyncio

import anyio

from service.engine.health import Health
from service.engine.request_model import RequestModel
from service.engine.shared import SharedModel
from service.engine.workers import start_in_thread
from service.settings import Settings
from similarity.errors import BackendTimeoutError, BackendUnavailableError

# Seconds for a model to say whether its backend is alive: longer than it waits for servers itself.
LOOK_PATIENCE = 4.0
# Seconds for a reading by a model that is in doubt.
PROBE_PATIENCE = 3.0
# Seconds between two looks at whether the model is in doubt: a probe comes at once then.
LOOK_SECONDS = 0.2


class Prober:
    """Probes a model between whose calls nothing else shows that it answers."""

    def __init__(self, shared: SharedModel, health: Health, settings: Settings) -> None:
        self._shared = shared
        self._health = health
        self._settings = settings

    async def pause(self) -> None:
        """Wait for the time of the next probe, or until the model is in doubt."""
        with anyio.move_on_after(self._settings.probe_seconds):
            while not self._health.doubted:
                await anyio.sleep(LOOK_SECONDS)

    async def probe(self) -> None:
        """Raise what tells that the model does not answer; it reads where nothing shows it.

        Raises
        ------
        BackendTimeoutError
            If the backend does not say in time that it is alive, or the model does not read.
        BackendUnavailableError, ModelError
            As the backend's look and the model's calls do.
        """
        await self._look()
        doubted = self._health.doubted
        if not doubted and (self._health.busy or self._health.recent):
            return
        seconds = PROBE_PATIENCE if doubted else self._settings.stall_seconds
        request_model = RequestModel(self._shared)
        try:
            with anyio.fail_after(seconds):
                await self._looking(start_in_thread(request_model.probe, "probe"))
        except TimeoutError as error:
            # It may wait behind a long call, which shows by itself whether the model answers.
            if (doubted and self._shared.scheduler.probing) or not self._health.busy:
                remedy = "" if doubted else "; raise TRAJSIM_STALL_SECONDS if it needs more"
                raise BackendTimeoutError(
                    "a probe, by which it reads one short text, had no answer within "
                    f"{seconds:g} s{remedy}"
                ) from error
        finally:
            request_model.cancel(BackendUnavailableError("a probe was given up"))

    async def _look(self) -> None:
        """Raise what tells that the backend does not say that it is alive."""
        try:
            with anyio.fail_after(LOOK_PATIENCE):
                await start_in_thread(self._shared.model.check_alive, "probe")
        except TimeoutError as error:
            raise BackendTimeoutError(
                f"a look at whether it is alive had no answer within {LOOK_PATIENCE:g} s"
            ) from error

    async def _looking(self, probe: "asyncio.Future[None]") -> None:
        """Wait for a probe, and look at the backend meanwhile.

        A probe may wait long for a server that was left out since the last look.
        """
        try:
            while not probe.done():
                await asyncio.wait([probe], timeout=self._settings.probe_seconds)
                if not probe.done():
                    await self._look()
            await probe
        finally:
            # Of one that is given up nobody reads the error.
            probe.cancel()
