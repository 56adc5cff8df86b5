"""`trajsim cache`: what is kept on this machine so that nothing is computed twice."""

import click

from similarity.cli.answers import answers_path
from similarity.cli.terminal import json_option, print_json
from similarity.errors import InputError
from similarity.storage.store import DEFAULT_BYTES, Store, files_of

MEBIBYTE = 2**20


@click.group()
def cache() -> None:
    """Show or delete what is kept so that nothing is computed twice."""


@cache.command()
@json_option
def info(as_json: bool) -> None:
    """Show where it is kept, and how much of it."""
    path = answers_path()
    if not path.exists():
        _print(as_json, {"path": str(path), "bytes": 0, "max_bytes": DEFAULT_BYTES, "kinds": {}})
        return
    with Store(path) as store:
        found = store.info()
    kinds = {kind: {"entries": count, "bytes": size} for kind, (count, size) in found.kinds.items()}
    content = {
        "path": str(path),
        "bytes": found.bytes_on_disk,
        "max_bytes": found.max_bytes,
        "kinds": kinds,
    }
    _print(as_json, content)


@cache.command()
@click.option(
    "--max-mib",
    type=click.IntRange(min=0),
    default=DEFAULT_BYTES // MEBIBYTE // 2,
    show_default=True,
    help="Keep so many MiB of what was used last.",
)
def prune(max_mib: int) -> None:
    """Delete what was used longest ago, down to a size."""
    gone = 0
    if answers_path().exists():
        with Store(answers_path()) as store:
            gone = store.prune(max_mib * MEBIBYTE)
    click.echo(f"deleted {gone} entries", err=True)


@cache.command()
def clear() -> None:
    """Delete all of it."""
    files = files_of(answers_path())
    size = sum(file.stat().st_size for file in files)
    try:
        for file in files:
            file.unlink()
    except OSError as error:
        raise InputError(f"cannot delete {answers_path()}: {error.strerror}") from error
    click.echo(f"deleted {size / MEBIBYTE:.1f} MiB", err=True)


def _print(as_json: bool, content: dict[str, object]) -> None:
    if as_json:
        print_json(content)
        return
    size, most = (int(str(content[name])) / MEBIBYTE for name in ("bytes", "max_bytes"))
    click.echo(f"{content['path']}: {size:.1f} MiB on disk, of {most:.0f} MiB at most")
    kinds = content["kinds"]
    assert isinstance(kinds, dict)
    for kind, found in kinds.items():
        click.echo(f"{kind}: {found['entries']} entries, {found['bytes'] / MEBIBYTE:.1f} MiB")
