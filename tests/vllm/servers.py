"""Real vLLM servers on this machine's CPU, started and ended by the tests."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

# The interpreter of the environment that has vLLM; without it these tests are left out.
PYTHON = os.environ.get("TRAJSIM_TEST_VLLM_PYTHON")
# What vLLM needs for images beside its environment, for which it is not made: see vllm.mk.
VISION = Path(PYTHON).parent.parent / "vision" if PYTHON else None
VISION_ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "vision"), str(VISION)])
}
# Seconds in which a server must be up; two at once on two busy cores take their time.
START_TIMEOUT = 600.0
FLAGS = ("--dtype", "float32", "--enforce-eager", "--generation-config", "vllm")
# Pools the last token, and makes states of length 1 unless it is asked not to.
POOLING = ("--runner", "pooling", "--convert", "embed")
NO_CACHE = ("--no-enable-prefix-caching",)
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


class Server:
    """One server: `start` it, `wait` until it answers, `kill` it, and start it again."""

    def __init__(
        self,
        model: Path,
        log: Path,
        flags: tuple[str, ...] = NO_CACHE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self._environment = dict(os.environ) | ENVIRONMENT | dict(environment or {})
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        assert PYTHON is not None
        command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", *FLAGS, *self._flags]
        place = ["--host", "127.0.0.1", "--port", str(self.port)]
        model = ["--model", str(self.model), "--served-model-name", "embedded"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *place, *model],
                stdout=log,
                stderr=log,
                env=self._environment,
                # Its engine is a process of its own, which a kill must reach too.
                start_new_session=True,
            )
        return self

    def wait(self) -> "Server":
        assert self._process is not None
        limit = time.monotonic() + START_TIMEOUT
        while time.monotonic() < limit:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health", timeout=5.0).is_success:
                    return self
            except httpx.TransportError:
                time.sleep(0.5)
        raise AssertionError(f"no server:\n{self._log.read_text(errors='replace')[-4000:]}")

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def metric(self, name: str) -> float:
        """Return the sum of a metric's values."""
        lines = httpx.get(f"{self.url}/metrics", timeout=30.0).text.splitlines()
        values = [line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"{name}{{")]
        assert values, f"no metric {name}"
        return sum(map(float, values))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
