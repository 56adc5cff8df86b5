"""Options of the commands that can run on many machines, and how they run there."""

from functools import wraps
from typing import Any

import click

from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.notes import note
from similarity.cli.numbers import FINITE
from similarity.cli.options import Command, decorated, refuse_options
from similarity.cli.progress import progress_bar, working
from similarity.cli.stopping import note_goes_on
from similarity.distributed.cluster import Cluster
from similarity.distributed.job import PARTITION_ROWS, Job, run
from similarity.distributed.model import DistributedModel
from similarity.distributed.partitions import REFUSED
from similarity.distributed.work import Work
from similarity.models.base import LanguageModel
from similarity.tabular.texts import split_columns

_CLUSTER_OPTIONS = (
    click.option(
        "--ray",
        "ray_address",
        metavar="ADDRESS",
        help="Compute on this Ray cluster, host:port of its head; 'auto' is the one that this "
        "machine is in, 'local' one of this machine alone, for the time of the command.",
    ),
    click.option(
        "--workers",
        type=int,
        help="Load the model so often, with --ray.  [default: once for each GPU, or for each "
        "machine of a cluster without]",
    ),
    click.option(
        "--gpus-per-worker",
        type=FINITE,
        help="Give each worker of --ray so many GPUs, or a part of one.  [default: 1 where "
        "there are any]",
    ),
    click.option(
        "--cpus-per-worker",
        type=int,
        default=1,
        show_default=True,
        help="Give each worker of --ray so many CPUs, and as many threads.",
    ),
)
_OF_CLUSTER = ("ray_address", "workers", "gpus_per_worker", "cpus_per_worker")
_FLAGS = ("--workers", "--gpus-per-worker", "--cpus-per-worker", "--partition-rows")
_partition_option = click.option(
    "--partition-rows",
    type=int,
    default=PARTITION_ROWS,
    show_default=True,
    help="Write so many rows to a Parquet file of --ray; a job that was stopped does no more "
    "than one for each worker again.",
)


def cluster_options(command: Command) -> Command:
    """Add --ray and what belongs to it; they arrive as `cluster`, which is None without --ray."""

    @wraps(command)
    def with_cluster(*args: Any, **given: Any) -> Any:
        cluster = _cluster(**{name: given.pop(name) for name in _OF_CLUSTER})
        return command(*args, cluster=cluster, **given)

    return decorated(with_cluster, _CLUSTER_OPTIONS)


def job_options(command: Command) -> Command:
    """Add those of `cluster_options`, and --partition-rows."""
    return cluster_options(_partition_option(command))


def _cluster(
    ray_address: str | None,
    workers: int | None,
    gpus_per_worker: float | None,
    cpus_per_worker: int,
) -> Cluster | None:
    if ray_address is None:
        refuse_options(_FLAGS, "is of --ray; give --ray and an address, or leave it out")
        return None
    return Cluster(
        address=ray_address,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
    )


def open_model_on(cluster: Cluster | None, choice: ModelChoice) -> LanguageModel:
    """Load a model in this process, or, where a cluster is given, on its workers.

    It is closed at the end of the command.
    """
    if cluster is None:
        return open_model(choice)
    with working(f"loading {choice.name} on {cluster.address}"):
        model = DistributedModel(cluster, choice.name, choice.options)
    click.get_current_context().call_on_close(model.close)
    return model


def run_job(
    cluster: Cluster,
    work: Work,
    *,
    source: str,
    output: str,
    model: ModelChoice,
    kind: str | None,
    columns: str | None,
    rows: int,
) -> None:
    """Do a job on a cluster, and say what was done."""
    job = Job(
        input=source,
        output=output,
        work=work,
        model=model.name,
        options=model.options,
        kind=kind,
        columns=split_columns(columns),
        rows=rows,
    )
    note_goes_on()
    with progress_bar(work.name, "row", 0) as on_progress:
        done = run(job, cluster, on_progress)
    if done.before:
        note(f"{done.before} of {done.rows} rows were done before")
    note(f"wrote {done.rows - done.refused} rows to {output}")
    if done.refused:
        note(f"{done.refused} rows could not be compared: {output}/{REFUSED}")
