"""`trajsim serve`: settings from options and environment, then the server.

Settings and web framework are imported late, so that `trajsim --help` does not wait for them.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from similarity.errors import ConfigError
from similarity.extras import extra_needed

if TYPE_CHECKING:
    from service.settings import Settings

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

# Threads that may outlive the server.
WORKERS = frozenset({"model", "request", "probe"})

CURL = """\
curl -s http://{address}/v1/similarity -H 'content-type: application/json' \\{key}
  -d '{{"pairs": [["A dog runs.", "A puppy is running."]]}}'"""
KEY = """
  -H "authorization: Bearer $KEY" \\"""


def _extra() -> AbstractContextManager[None]:
    return extra_needed("service", "the service needs")


class _Serve(click.Command):
    """A command with an option for each setting; they are made when they are first needed."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not self.params:
            self.params = setting_options()
        return super().get_params(ctx)


def setting_options() -> list[click.Parameter]:
    """Return an option for each setting, so that --help shows them all."""
    with _extra():
        from service.settings import Settings

    options: list[click.Parameter] = []
    for name, field in Settings.model_fields.items():
        # The help must not depend on what is installed here, as the value of a factory does.
        default = field.default if field.default_factory is None else "by what is installed"
        default = "none" if default in (None, "") else default
        text = f"{field.description} [default: {default}; env: TRAJSIM_{name.upper()}]"
        flag = "--" + name.replace("_", "-")
        kind = name.rpartition("_")[2].upper()
        options.append(click.Option([flag, name], metavar=kind, help=text))
    return options


@click.command(cls=_Serve)
def serve(**options: str | None) -> None:
    """Serve similarities over HTTP, with a page at / and docs at /docs.

    Every setting is read from the environment too; an option wins.
    """
    # A container's first process has no default action: it would not stop while it loads, and most
    # of the start is to import what follows.
    signal.signal(signal.SIGTERM, lambda *_: _end_now())
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        signal.signal(signal.SIGHUP, lambda *_: _end_now())
    with _extra():
        from service.http.app import check_limits, check_scales, create_app, served_vectors
        from service.http.server import Server
        from service.http.tracing import open_tracing
        from service.logs import configure_logs, logs_written
        from service.mistakes import VARIABLES
    from similarity.cli.choices import ModelChoice, open_model
    from similarity.cli.progress import progress_bars
    from similarity.cli.variables import misspelt
    from similarity.models.loader import is_address
    from similarity.models.memory import return_freed

    # A thread that computes in Python holds the interpreter so long before the model's thread gets
    # it back, at each of the many operations of a network; 5 ms by default.
    sys.setswitchinterval(0.000_5)
    settings = read_settings(**options)
    configure_logs(settings.log_level, settings.log_format)
    for name, near in misspelt(os.environ, VARIABLES):
        logger.warning("%s is no setting and has no effect; did you mean %s?", name, near)
    logs_written()
    with listen(settings.host, settings.port) as listening:
        address = _address(listening)
        tracing = open_tracing(settings.otlp_endpoint)
        # An address may have a password, which is refused only when the model is loaded.
        served = is_address(settings.model)
        step = "connecting to the model server" if served else f"loading model {settings.model}"
        click.echo(f"{step} …", err=True)
        model = _in_a_thread(
            lambda: open_model(ModelChoice(settings.model, settings.device, settings.dtype))
        )

        try:
            # Before the server begins, so that what cannot be served is one line.
            with progress_bars() as progress:
                vectors = _in_a_thread(lambda: served_vectors(settings, model, progress))
            check_limits(settings, vectors)
            check_scales(model, vectors)
            app = create_app(settings, lambda: model, tracing, lambda _: vectors)
            server = Server(app, settings, lambda: _announce(address, settings))
            # What is loaded stays: the collector need not go through it again and again, which
            # would hold up all requests for a third of a second each time.
            gc.collect()
            gc.freeze()
            return_freed()
            server.run(sockets=[listening])
        finally:
            model.close()
    if not server.started:
        sys.exit(1)
    if not logs_written():
        _end_now()  # the interpreter's own end, and whatever is written, would wait for the reader
    click.echo("stopped", err=True)
    _leave_threads()


def _announce(address: str, settings: "Settings") -> None:
    """Say where the service is; it goes on where nothing can be written."""
    vectors = f", vectors of {settings.vectors}" if settings.vectors else ""
    ready = f"ready: http://{address} (documentation at /docs){vectors}. Try:\n"
    curl = CURL.format(address=address, key=KEY if settings.keys() else "")
    try:
        click.echo(f"{ready}\n{curl}\n")
    except OSError as error:
        logger.warning("standard output cannot be written: %s", error.strerror)
        sys.stdout = None  # what is left in it would fail again at the end


def _leave_threads() -> None:
    """End the process now if a request or a call of the model is still at work in a thread.

    The interpreter's own end would wait for their native code, or crash in it.
    """
    current = threading.current_thread()
    if any(thread.name in WORKERS for thread in threading.enumerate() if thread is not current):
        _end_now()


def _end_now() -> None:
    """End the process without waiting for threads, as those that load a model may crash then."""
    for handler in logging.getLogger("service").handlers:
        handler.flush()
    # A signal may come while they are written: what is left is dropped then. So it is where
    # nobody reads it.
    with suppress(RuntimeError, OSError, ValueError):
        for stream in filter(None, (sys.stdout, sys.stderr)):
            if select.select([], [stream], [], 0)[1]:
                stream.flush()
    os._exit(0)


def _in_a_thread(work: Callable[[], Result]) -> Result:
    """Return the result of work done in a thread that ends with it.

    OpenMP keeps a team for each thread that has computed, and once teams outnumber the cores
    it puts waiting threads to sleep at once, which costs a small network a third of its speed.
    So the only thread that lasts and computes shall be the scheduler's.
    """
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # raised again where the result is read
            result.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    return result.result()


def read_settings(**options: str | None) -> "Settings":
    """Return the settings from the environment and the options that were given.

    Raises
    ------
    ConfigError
        For a value that is out of range or of the wrong type; it names the setting.
    """
    from pydantic import ValidationError

    from service.mistakes import mistake_in
    from service.settings import Settings

    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigError(mistake_in(error, given)) from error


def listen(host: str, port: int) -> socket.socket:
    """Open the port before the model is loaded, so that a taken one is known at once.

    Raises
    ------
    ConfigError
        If the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # the latter of a name that no host can have
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"cannot listen on {host}:{port}: {reason}; choose another with --host or --port"
        ) from error


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
