"""`trajsim cache`: what is kept on this machine so that nothing is computed twice."""

from typing import Any

import click

from similarity.cli.answers import answers_path
from similarity.cli.notes import note
from similarity.cli.terminal import json_option, print_json
from similarity.storage.clearing import delete_store
from similarity.storage.store import DEFAULT_BYTES, Store

MEBIBYTE = 2**20


@click.group()
def cache() -> None:
    """Show or delete what is kept so that nothing is computed twice."""


@cache.command()
@json_option
def info(as_json: bool) -> None:
    """Show where it is kept, and how much of it."""
    path = answers_path()
    kinds: dict[str, dict[str, int]] = {}
    content: dict[str, Any] = {"path": str(path), "bytes": 0, "max_bytes": DEFAULT_BYTES}
    if path.exists():
        with Store(path, read_only=True) as store:
            found = store.info()
        content |= {"bytes": found.bytes_on_disk, "max_bytes": found.max_bytes}
        for kind, (count, size) in found.kinds.items():
            kinds[kind] = {"entries": count, "bytes": size}
    if as_json:
        print_json({**content, "kinds": kinds})
        return
    size, most = (content[name] / MEBIBYTE for name in ("bytes", "max_bytes"))
    click.echo(f"{path}: {size:.1f} MiB on disk, of {most:.0f} MiB at most")
    for kind, of_kind in kinds.items():
        click.echo(f"{kind}: {of_kind['entries']} entries, {of_kind['bytes'] / MEBIBYTE:.1f} MiB")


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
    note(f"deleted {gone} entries")


@cache.command()
def clear() -> None:
    """Delete all of it. Models, and scales that you fitted, stay."""
    size = delete_store(answers_path())
    note(f"deleted {size / MEBIBYTE:.1f} MiB")
