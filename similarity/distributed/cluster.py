"""Joins a Ray cluster: its address, what it must have, and how many workers fit."""

import os
import socket
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from similarity.errors import (
    BackendRefusedError,
    BackendUnavailableError,
    ConfigError,
    MissingDependencyError,
)
from similarity.extras import optional_module
from similarity.fields import keep, keep_integer
from similarity.validation import check_kind, given_number

# How long an address may be silent.
ANSWER_SECONDS = 10.0
AUTO, LOCAL = "auto", "local"

# A client of HTTP/2 begins with these bytes and an empty frame of settings; a server of gRPC,
# which Ray's is, answers with its own frame of settings: of type 4, after three bytes of length.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS_FRAME = 4


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where work is done, and by how many workers.

    Parameters
    ----------
    address
        "host:port" of a cluster's head, "auto" for the cluster that this machine is in, or "local"
        for one that is started here and ends with the command.
    workers
        Each has one model; None is one for each GPU, or for each machine where there are none.
    gpus_per_worker
        May be a fraction; None is 1 where the cluster has GPUs, else 0.
    cpus_per_worker
        Also the number of threads that a worker computes with.
    """

    address: str
    workers: int | None = None
    gpus_per_worker: float | None = None
    cpus_per_worker: int = 1

    def __post_init__(self) -> None:
        check_kind("--ray", self.address, str, "an address")
        if self.workers is not None:
            keep_integer(self, "workers", at_least=1, called="--workers")
        keep_integer(self, "cpus_per_worker", at_least=1, called="--cpus-per-worker")
        if self.gpus_per_worker is not None:
            keep(self, gpus_per_worker=given_number("--gpus-per-worker", self.gpus_per_worker))
        gpus = self.gpus_per_worker or 0
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise ConfigError(
                "--gpus-per-worker must be a whole number, or a fraction below 1, got "
                f"{self.gpus_per_worker}"
            )


@dataclass(frozen=True)
class Placement:
    """How many workers there are, and the CPUs and GPUs of each."""

    workers: int
    gpus: float
    cpus: int


def load_ray() -> ModuleType:
    """Return the package ray with ray.data.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        optional_module("ray.data", "more than one machine needs")
    except MissingDependencyError as error:
        raise MissingDependencyError(
            "--ray needs Ray, on this machine and on every other: pip install 'ray[data]' pyarrow"
        ) from error
    return optional_module("ray", "more than one machine needs")


def connect(cluster: Cluster) -> ModuleType:
    """Join a cluster, and return the package ray; leave the cluster by `ray.shutdown`.

    Raises
    ------
    MissingDependencyError
        If Ray is not installed.
    ConfigError
        If the address is none.
    BackendUnavailableError
        If nothing answers there within 10 seconds.
    BackendRefusedError
        If the cluster has another version of Ray or Python.
    """
    ray = load_ray()
    address = cluster.address
    if address not in (AUTO, LOCAL):
        _check_answer(*_host_and_port(address))
    # Ray reports its use to its makers unless this is set to 0.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except ConnectionError as error:
        where = "this machine is in no Ray cluster" if address == AUTO else f"no Ray at {address}"
        raise BackendUnavailableError(
            f"{where}; start one by `ray start --head`, give its address, or give --ray local"
        ) from error
    except RuntimeError as error:
        raise BackendRefusedError(f"Ray at {address}: {' '.join(str(error).split())}") from error
    return ray


def place_workers(cluster: Cluster, ray: Any) -> Placement:
    """Return how many workers to start on a cluster, and the CPUs and GPUs of each.

    Raises
    ------
    ConfigError
        If the cluster has not so many CPUs or GPUs.
    """
    has = ray.cluster_resources()
    gpus = cluster.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if has.get("GPU") else 0.0
    machines = sum(node["Alive"] for node in ray.nodes())
    workers = cluster.workers or (max(1, int(has.get("GPU", 0) / gpus)) if gpus else machines)
    for name, each in (("CPU", cluster.cpus_per_worker), ("GPU", gpus)):
        if workers * each > has.get(name, 0):
            raise ConfigError(
                f"{workers} workers of {each:g} {name}s each want {workers * each:g}, and the "
                f"cluster has {has.get(name, 0):g}; give fewer --workers"
            )
    return Placement(workers, gpus, cluster.cpus_per_worker)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if "://" in address:
        raise ConfigError(
            f"--ray wants host:port, got {address}; run the command on a machine of the cluster, "
            "as by `ray job submit`"
        )
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ConfigError(f"--ray wants host:port, {AUTO} or {LOCAL}, got {address!r}")
    return host, int(port)


def _check_answer(host: str, port: int) -> None:
    """Refuse an address that does not answer: Ray would wait for minutes and end the process."""
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(_PREFACE)
            answer = connection.recv(9)
    except TimeoutError as error:
        raise BackendUnavailableError(
            f"{host}:{port} did not answer within {ANSWER_SECONDS:.0f} seconds; check the address, "
            "and that the head of the cluster runs"
        ) from error
    except OSError as error:
        raise BackendUnavailableError(
            f"no Ray at {host}:{port}: {error.strerror or error}; check the address, and that the "
            "head of the cluster runs"
        ) from error
    if len(answer) < 4 or answer[3] != _SETTINGS_FRAME:
        raise BackendUnavailableError(
            f"what answers at {host}:{port} is no Ray; the port is that of `ray start --head`, "
            "6379 unless another was given"
        )
