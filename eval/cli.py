"""`trajsim eval`: benchmarks from the command line."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from eval.datasets import STS_TASKS, load_task
from eval.run import evaluate_task, write_json
from similarity.errors import ConfigError
from similarity.options import comparison_config, comparison_options, model_options, open_model
from similarity.progress import progress_bars


@click.group(name="eval")
def evaluate() -> None:
    """Zero-shot benchmarks against human judgement."""


@evaluate.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of <task>.tsv files: subset, score, sentence1, sentence2.",
)
@click.option(
    "--tasks",
    default="stsb-dev",
    show_default=True,
    help=f"Comma-separated, of: {', '.join(STS_TASKS)}.",
)
@click.option("--limit", type=int, help="Only the first pairs of each task.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("runs/sts.json"),
    show_default=True,
    help="Write the results here as JSON, with each pair's distance.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@model_options
@comparison_options
def sts(
    data: Path,
    tasks: str,
    limit: int | None,
    out: Path,
    as_json: bool,
    model_name: str,
    device: str,
    dtype: str,
    **settings: Any,
) -> None:
    """Spearman correlation × 100 with the scores of semantic textual similarity."""
    if limit is not None and limit < 2:
        raise ConfigError(f"--limit must be at least 2, got {limit}")
    config = comparison_config(**settings)
    loaded = {task: load_task(task, data)[:limit] for task in tasks.split(",")}
    model = open_model(model_name, device, dtype)
    with progress_bars() as progress:
        results = [
            evaluate_task(model, task, pairs, config, progress) for task, pairs in loaded.items()
        ]
    write_json(out, {"results": results})
    click.echo(f"wrote {out}", err=True)
    if as_json:
        click.echo(json.dumps({"results": results}, allow_nan=False))
    else:
        _print(results)


def _print(results: list[dict[str, Any]]) -> None:
    table = Table(title="Spearman × 100", caption=f"fingerprint {results[0]['fingerprint']['id']}")
    table.add_column("task")
    table.add_column("pairs", justify="right")
    for name in results[0]["spearman"]:
        table.add_column(name, justify="right")
    for result in results:
        figures = (f"{value:.1f}" for value in result["spearman"].values())
        table.add_row(result["task"], str(result["pairs"]), *figures)
    Console(highlight=False).print(table)
