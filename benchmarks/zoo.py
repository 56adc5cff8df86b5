"""Every causal architecture that the installed transformers knows, tiny, against plain readings.

Run as `python -m benchmarks.zoo [ARCHITECTURE …]`, or `make zoo`. What this library samples and
scores is compared with one call of transformers for each sequence, in single and half precision.
An architecture that the library refuses must fail, or see what comes later, by itself too.
"""

import copy
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
import transformers

from benchmarks.zoo_models import NotBuiltError, architectures, save_tiny
from similarity.errors import TrajsimError
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest, TokenIds
from similarity.models.local import LocalModel, load_local
from similarity.models.network import ROUNDING
from similarity.models.pretrained import load_pretrained

DTYPES = ("float32", "bfloat16")
# Of prefixes: shorter and longer than the windows of the zoo, and unlike enough to be padded.
LENGTHS = (3, 12, 20, 60, 90)
# Half precision moves single tokens far, whichever way they are read (`Network.difference`).
ALLOWED = {"float32": ROUNDING[torch.float32], "bfloat16": 3 * ROUNDING[torch.bfloat16]}
TRAJECTORIES, TOKENS = 3, 12
TEXT = "The harbour lay quiet in the early light, and two men were mending a net on the quay. " * 9
# By how much more tokens behind move those before, in nats, where a network is no causal one.
MOVED = 1e-4


@dataclass
class Row:
    """What came of one architecture."""

    architecture: str
    gaps: dict[str, float] = field(default_factory=dict)
    ways: str = ""
    reason: str = ""
    failed: bool = False

    def line(self) -> str:
        """Return it as a line of the table."""
        told = "  ".join(f"{self.gaps[dtype]:9.1e}" for dtype in DTYPES if dtype in self.gaps)
        mark = "FAIL " if self.failed else ""
        return f"{self.architecture:24} {told:20}  {mark}{self.reason or self.ways}"


def examine(architecture: str, dtypes: Sequence[str] = DTYPES, **changes: Any) -> Row:
    """Build, load and compare one architecture."""
    row = Row(architecture)
    with tempfile.TemporaryDirectory() as folder:
        try:
            save_tiny(architecture, Path(folder), **changes)
        except NotBuiltError as error:
            row.reason = f"skipped: {error}"
            return row
        try:
            for dtype in dtypes:
                model = load_local(folder, name=architecture, dtype=dtype)
                row.gaps[dtype] = largest_gap(
                    model, module=load_pretrained(folder, dtype=dtype).module
                )
                row.failed |= not row.gaps[dtype] <= ALLOWED[dtype]
                row.ways = row.ways or _ways(model)
        except TrajsimError as error:
            row.reason = f"refused: {error}"
            row.failed = not is_unfit(folder, dtype)
    return row


def largest_gap(model: LocalModel, lengths: Sequence[int] = LENGTHS, module: Any = None) -> float:
    """Return how far sampling and scoring are from plain readings at most, in nats.

    Where that is more than rounding, a plain reading in double precision is what counts: some
    networks round more in one reading than in steps.

    Parameters
    ----------
    module
        The same network in transformers' own class; by default a copy of what the model has.
    """
    room = model.info.context_length - TOKENS
    prefixes = [model.encode(TEXT)[: min(length, room)] for length in lengths]
    sampled = model.sample(
        [
            SampleRequest(prefix=prefix, n=TRAJECTORIES, max_tokens=TOKENS, key=i)
            for i, prefix in enumerate(prefixes)
        ],
        Law(),
    )
    continuations = tuple(one.token_ids for row in sampled for one in row)
    requests = [ScoreRequest(prefix=p, continuations=continuations) for p in prefixes]
    told = [
        (prefix, one.token_ids, one.log_probs)
        for prefix, row in zip(prefixes, sampled, strict=True)
        for one in row
        if one.log_probs is not None
    ] + [
        (prefix, ids, log_probs)
        for prefix, row in zip(prefixes, model.score(requests, Law()), strict=True)
        for ids, log_probs in zip(continuations, row, strict=True)
    ]
    # As transformers has it: a copy of prepacked layers is of plain ones.
    module = (copy.deepcopy(model.network.module) if module is None else module).eval()
    gaps = [float(np.abs(found - plain(module, p, ids)).max()) for p, ids, found in told]
    if model.network.exact and max(gaps) > model.network.rounding:
        double = module.double()
        exact = [float(np.abs(found - plain(double, p, ids)).max()) for p, ids, found in told]
        return max(map(min, gaps, exact))
    return max(gaps)


@torch.inference_mode()
def plain(module: Any, prefix: TokenIds, continuation: TokenIds) -> Any:
    """Return log-probabilities, shape "token" in nats, by one call of transformers."""
    ids = torch.tensor([prefix + continuation[:-1]])
    logits = module(input_ids=ids, use_cache=False).logits[0, len(prefix) - 1 :]
    rows = logits.float().log_softmax(-1)
    return rows.gather(-1, torch.tensor(continuation)[:, None])[:, 0].double().numpy()


@torch.inference_mode()
def is_unfit(folder: str, dtype: str) -> bool:
    """Tell whether transformers cannot read with a model, or its network sees what comes later."""
    kind: Any = transformers.AutoModelForCausalLM
    try:
        module = kind.from_pretrained(folder, dtype=dtype).eval()
        ids = torch.arange(2, 14)[None]
        whole = module(input_ids=ids, use_cache=False).logits
        part = module(input_ids=ids[:, :6], use_cache=False).logits
    except Exception as error:  # of whatever kind: that is the question
        click.echo(f"  transformers says: {' '.join(str(error).split())[:100]}", err=True)
        return True
    gap = whole[:, :6].float().log_softmax(-1) - part.float().log_softmax(-1)
    return not float(gap.abs().max()) <= MOVED


def _ways(model: LocalModel) -> str:
    network = model.network
    found = [
        "packed" if network.packs else "one by one",
        "from states" if network.caches else "read again",
    ]
    if not network.pads:
        found.append("never padded")
    return ", ".join(found)


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Print a line for each architecture; exit with 1 if one is wrong."""
    warnings.simplefilter("ignore")  # of architectures, about their own settings
    log: Any = transformers.utils.logging
    log.set_verbosity_error()
    log.disable_progress_bar()
    columns = "  ".join(f"{dtype:>9}" for dtype in DTYPES)
    click.echo(f"{'architecture':24} {columns}  largest difference to a plain reading, nats")
    rows = []
    for name in names or architectures():
        rows.append(examine(name))
        click.echo(rows[-1].line())
    agree, failed = sum(bool(row.ways) for row in rows), sum(row.failed for row in rows)
    refused = sum(row.reason.startswith("refused") for row in rows)
    skipped = sum(row.reason.startswith("skipped") for row in rows)
    click.echo(f"{agree} agree, {refused} refused, {skipped} skipped, {failed} FAILED")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
