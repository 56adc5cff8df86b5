"""The image, built for real in a clean system, and run as a container runtime would run it.

No container engine is needed: debootstrap makes a Debian that stands in for the base image,
buildah builds the Dockerfile on it without a daemon, and unshare gives what is built a read-only
root, a process namespace of its own, and the image's user, environment and command.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from similarity.version import __version__
from tests.conftest import ROOT
from tests.docker.conftest import need
from tests.service.servers import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make and to enter a root"),
]

SUITE = "bookworm"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
KEY = "a-key-of-the-test"
LOADING = 120.0

# The mounts of a container with a read-only root, and the image's user; then its command is the
# first process of its namespace, as in a container.
CONTAINER = """
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -o remount,ro,bind "$ROOT"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
exec chroot --userspec="$USER_OF_IMAGE" "$ROOT" "$@"
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Image"]:
    """Build docker/Dockerfile; remove all of it at the end."""
    need("debootstrap")
    need("buildah")
    need("unshare")
    image = Image(tmp_path_factory.mktemp("image"))
    try:
        image.build()
        yield image
    finally:
        image.remove()


class Image:
    """docker/Dockerfile built by buildah into a folder, and its root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = Path()
        self.config: dict[str, object] = {}

    def build(self) -> None:
        """Make the base, build on it, and mount what comes out."""
        base = self.folder / "base"
        self._run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, base)
        self._carry_settings_of_pip(base)
        container = self._buildah("from", "scratch")
        self._buildah("copy", "--quiet", container, base, "/")
        self._buildah("commit", "--quiet", "--rm", container, "localhost/base")
        self._buildah("build", *self._options(), "--tag", "localhost/trajsim", self._context())
        container = self._buildah("from", "localhost/trajsim")
        self.root = Path(self._buildah("mount", container))
        self.config = json.loads(self._buildah("inspect", container))["Docker"]["config"]

    def remove(self) -> None:
        """Unmount and delete everything."""
        self._buildah("rm", "--all")
        self._buildah("rmi", "--all", "--force")

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs words with the image's environment."""
        return ["env", "-i", *map(str, self.config["Env"]), *words]  # type: ignore[call-overload]

    def _options(self) -> list[str]:
        arguments = {"PYTHON_IMAGE": "localhost/base", "VERSION": __version__}
        options = []
        if links := os.environ.get("PIP_FIND_LINKS"):
            # A machine that keeps a CPU build of torch at hand need not reach torch's index.
            options = ["--volume", f"{links}:{links}:ro"]
            arguments["TORCH_INDEX"] = ""
        options += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        return [*options, "--format=docker", f"--file={ROOT / 'docker' / 'Dockerfile'}"]

    def _context(self) -> Path:
        """Return a folder of what a clone holds, with what is not committed yet."""
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
        for name in names.decode().rstrip("\0").split("\0"):
            target = self.folder / "context" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        return self.folder / "context"

    def _carry_settings_of_pip(self, base: Path) -> None:
        """Let pip find in the base what it finds on this machine."""
        shutil.copy("/" / CERTIFICATES, base / CERTIFICATES)
        settings = [f"cert = /{CERTIFICATES}"]
        if links := os.environ.get("PIP_FIND_LINKS"):
            settings.append(f"find-links = {links}")
        text = "\n".join(["[global]", *settings, ""])
        (base / "etc" / "pip.conf").write_text(text, encoding="utf-8")

    def _buildah(self, *arguments: str | Path) -> str:
        store = [f"--root={self.folder / 'store'}", f"--runroot={self.folder / 'run'}"]
        return self._run("buildah", *store, *arguments)

    def _run(self, *command: str | Path) -> str:
        result = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        )
        assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
        return result.stdout.strip()


class Container:
    """The image's own command as the first process of a namespace."""

    def __init__(self, image: Image, **environment: str) -> None:
        self.image = image
        settings = [f"{name}={value}" for name, value in environment.items()]
        words = [*settings, *image.config["Entrypoint"], *image.config["Cmd"]]  # type: ignore[misc]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        self.errors = image.folder / "errors"
        with self.errors.open("w") as errors:
            self.runtime = subprocess.Popen(
                [*namespaces, "sh", "-ec", CONTAINER, "sh", *image.command(*words)],
                env={**os.environ, "ROOT": str(image.root), "USER_OF_IMAGE": image.config["User"]},  # type: ignore[dict-item]
                stdout=errors,
                stderr=errors,
            )

    @property
    def first(self) -> int:
        """The process that is number 1 inside, by its number outside."""
        children = Path(f"/proc/{self.runtime.pid}/task/{self.runtime.pid}/children")
        return int(children.read_text())

    def said(self) -> str:
        return self.errors.read_text(encoding="utf-8")

    def stop(self) -> int:
        os.kill(self.first, signal.SIGTERM)
        return self.runtime.wait(60)

    def healthy(self, port: int) -> bool:
        """Run the image's health check."""
        (kind, *words) = self.image.config["Healthcheck"]["Test"]  # type: ignore[index,call-overload]
        assert kind == "CMD"
        inside = self.image.command(f"TRAJSIM_PORT={port}", *words)
        command = ["chroot", f"--userspec={self.image.config['User']}", self.image.root, *inside]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(image: Image, **environment: str) -> Iterator[Container]:
    container = Container(image, **environment)
    try:
        yield container
    finally:
        container.runtime.kill()
        container.runtime.wait()


def wait_for(condition: Callable[[], bool], container: Container) -> None:
    alive = container.runtime.poll
    assert eventually(lambda: condition() or alive() is not None, LOADING), container.said()
    assert alive() is None, container.said()


def test_it_says_what_it_is(image: Image) -> None:
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__  # type: ignore[index]
    assert image.config["User"] == "10001:10001"
    assert not list((image.root / "opt/trajsim/bin").glob("pip*"))


def test_it_opens_to_nobody_without_a_key(image: Image) -> None:
    with running(image) as container:
        assert container.runtime.wait(LOADING) != 0
    assert "no API key is set" in container.said()


def test_it_serves_from_a_read_only_root_and_stops_on_sigterm(image: Image, free_port: int) -> None:
    settings = {"TRAJSIM_PORT": str(free_port), "TRAJSIM_API_KEYS": KEY}
    with running(image, **settings) as container:
        wait_for(lambda: container.healthy(free_port), container)
        mounts = Path(f"/proc/{container.first}/mounts").read_text().splitlines()
        root = next(line.split() for line in mounts if line.split()[1] == "/")
        assert "ro" in root[3].split(",")
        status = Path(f"/proc/{container.first}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in status
        body = {"pairs": [["A man plays a guitar.", "Someone makes music."]]}
        url = f"http://127.0.0.1:{free_port}/v1/similarity"
        assert httpx.post(url, json=body).status_code == 401
        headers = {"authorization": f"Bearer {KEY}"}
        answer = httpx.post(url, json=body, headers=headers, timeout=60).json()
        assert answer["model"] == "smollm2"
        assert 0 < answer["results"][0]["similarity"] < 1
        assert container.stop() == 0, container.said()
    assert not container.healthy(free_port)


def test_sigterm_reaches_it_while_it_loads(image: Image, free_port: int) -> None:
    settings = {"TRAJSIM_PORT": str(free_port), "TRAJSIM_API_KEYS": KEY}
    with running(image, **settings) as container:
        wait_for(lambda: "loading model" in container.said(), container)
        time.sleep(0.2)
        assert container.stop() == 0, container.said()
    assert "ready:" not in container.said()
