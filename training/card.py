"""Fills in the model card; every figure in it comes from the run that made the model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from training.evaluate import Score, total
from training.mix import MIX
from training.model import ModelConfig

TEMPLATE = Path(__file__).with_name("card.template.md")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the card says.

    Attributes
    ----------
    config : ModelConfig
        Sizes of the model.
    parameters : int
        Number of weights; the embedding counts once.
    arguments : dict
        The arguments of the run.
    step : int
        Steps done.
    seconds : float
        Wall-clock time of the training.
    plans : list of [int, int]
        From which step on the rates aimed at which last step.
    log : list of dict
        One record a step.
    manifest : dict
        What `training.prepare` wrote of the data.
    scores : dict
        Source to its held-out score.
    sha256 : str
        Of `model.safetensors`.
    """

    config: ModelConfig
    parameters: int
    arguments: dict[str, Any]
    step: int
    seconds: float
    plans: list[list[int]]
    log: list[dict[str, float]]
    manifest: dict[str, Any]
    scores: dict[str, Score]
    sha256: str


def render(facts: Facts) -> str:
    """Give the card as Markdown."""
    everything = total(facts.scores)
    values: dict[str, object] = {
        **facts.config.to_dict(),
        **{f"arg_{name}": value for name, value in facts.arguments.items()},
        **{f"data_{name}": value for name, value in facts.manifest["arguments"].items()},
        "parameters": f"{facts.parameters / 1e6:.2f}",
        "steps": facts.step,
        "of_steps": facts.arguments["steps"],
        "state": "" if facts.step == facts.arguments["steps"] else UNFINISHED,
        "plans": _plans(facts.plans),
        "tokens": f"{sum(record['tokens'] for record in facts.log) / 1e6:.1f}",
        "prepared": f"{facts.manifest['tokens'] / 1e6:.1f}",
        "minutes": f"{facts.seconds / 60:.0f}",
        "data_sha256": facts.manifest.get("sha256", "not recorded"),
        "mix": _mix(facts.manifest["sources"]),
        "captions": f"{100 * _caption_share(facts.manifest['sources']):.0f} %",
        "scores": _scores(facts.scores),
        "perplexity": f"{everything.perplexity:.1f}",
        "bits_per_byte": f"{everything.bits_per_byte:.3f}",
        "sha256": facts.sha256,
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values)


UNFINISHED = "\n**Not a finished model: the run had steps left when this was exported.**\n"


def _mix(sources: dict[str, dict[str, float]]) -> str:
    known = {source.name: source for source in MIX}
    rows = [
        "| source | register | share | passes | origin | licence |",
        "|---|---|---|---|---|---|",
    ]
    whole = sum(use["tokens"] for use in sources.values())
    for name, use in sources.items():
        source = known.get(name)
        register, origin, licence = (
            (source.register, source.origin, source.licence) if source else ("", "", "")
        )
        share = f"{100 * use['tokens'] / whole:.1f} %"
        rows.append(f"| {name} | {register} | {share} | {use['epochs']} | {origin} | {licence} |")
    return "\n".join(rows)


def _plans(plans: list[list[int]]) -> str:
    changes = [
        f" From step {begin} on, the rates aimed at step {end} instead of {before}."
        for (_, before), (begin, end) in pairwise(plans)
    ]
    return "".join(changes)


def _caption_share(sources: dict[str, dict[str, float]]) -> float:
    whole = sum(use["tokens"] for use in sources.values())
    captions = (use["tokens"] for name, use in sources.items() if name.startswith("captions"))
    return sum(captions) / whole


def _scores(scores: dict[str, Score]) -> str:
    rows = ["| source | tokens | perplexity a token | bits a byte |", "|---|---|---|---|"]
    for name, score in scores.items():
        rows.append(
            f"| {name} | {score.tokens} | {score.perplexity:.1f} | {score.bits_per_byte:.3f} |"
        )
    return "\n".join(rows)
