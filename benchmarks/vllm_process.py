"""A vLLM server of a model's folder on this machine, for the time of a benchmark."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import httpx

START_SECONDS = 600.0
_FLAGS = ("--generation-config", "vllm", "--no-enable-prefix-caching", "--dtype", "float32")
_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}


@contextmanager
def vllm_server(python: Path, folder: Path) -> Iterator[str]:
    """Start a server, and give its address when it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    place = ["--host", "127.0.0.1", "--port", port, "--served-model-name", folder.name]
    with TemporaryDirectory() as logs, (Path(logs) / "vllm.log").open("w+b") as log:
        process = subprocess.Popen(
            [*command, *place, *_FLAGS],
            stdout=log,
            stderr=log,
            env={**os.environ, **_ENVIRONMENT},
            # Its engine is a process of its own, which must end too.
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url, Path(log.name))
            yield url
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    limit = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < limit:
        try:
            if httpx.get(f"{url}/health", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise click.ClickException(f"no vLLM: {log.read_text(errors='replace')[-2000:]}")
