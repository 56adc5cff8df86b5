"""`trajsim serve`: settings from options and environment, then uvicorn."""

import socket
import sys
from collections.abc import Callable
from typing import Any

import click
from pydantic import ValidationError

from service.settings import Settings
from similarity.errors import ConfigError
from similarity.options import open_model

CURL = """\
curl -s http://{address}/v1/similarity -H 'content-type: application/json' \\
  -d '{{"pairs": [["A man is playing a guitar.", "Someone plays an instrument."]]}}'"""

# Longer than any request of the default limits takes on two cores.
GRACE_SECONDS = 30


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each setting, so that --help shows them all."""
    for name, field in reversed(Settings.model_fields.items()):
        text = f"{field.description} [default: {field.default}; env: TRAJSIM_{name.upper()}]"
        flag = "--" + name.replace("_", "-")
        command = click.option(flag, name, metavar=name.rpartition("_")[2].upper(), help=text)(
            command
        )
    return command


@click.command()
@setting_options
def serve(**options: str | None) -> None:
    """Serve similarities over HTTP; interactive documentation is at /docs.

    Every setting is read from the environment too; an option wins.
    """
    # Late, so that `trajsim --help` needs no web framework.
    import uvicorn

    from service.app import create_app

    settings = read_settings(**options)
    listening = _listen(settings.host, settings.port)
    address = "{}:{}".format(*listening.getsockname()[:2])
    click.echo(f"loading model {settings.model} …", err=True)
    model = open_model(settings.model, settings.device, settings.dtype)
    config = uvicorn.Config(
        create_app(settings, lambda: model),
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )

    class AnnouncedServer(uvicorn.Server):
        """Says so when the address answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                click.echo(f"ready: http://{address} (documentation at /docs). Try:\n")
                click.echo(CURL.format(address=address) + "\n")

    server = AnnouncedServer(config)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        # uvicorn raises the signal again after a clean stop.
        click.echo("stopped", err=True)
    if not server.started:
        sys.exit(1)


def read_settings(**options: str | None) -> Settings:
    """Return the settings from the environment and the options that were given.

    Raises
    ------
    ConfigError
        For a value that is out of range or of the wrong type; it names the setting.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {name}: {first['msg']}, got {first['input']!r}") from error


def _listen(host: str, port: int) -> socket.socket:
    """Open the port before the model is loaded, so that a taken one is known at once."""
    try:
        return socket.create_server((host, port), reuse_port=False, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from error
