"""The models that a benchmark is of, and where their weights are for other programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.shapes import random_model
from similarity.models.converted import converted
from similarity.models.loader import EMBEDDED, EMBEDDED_PATH, SMOLLM2, LoadOptions, load_model
from similarity.models.local import LocalModel
from similarity.models.pretrained import load_pretrained


@dataclass(frozen=True)
class Subject:
    """A model, and the folder of its weights as they were published.

    Random ones have no folder; they have their network in transformers' own class.
    """

    name: str
    model: LocalModel
    folder: Path | None
    module: Any = None

    def as_published(self) -> Any:
        """Return its network in transformers' own class: what a script would load."""
        network = self.model.network
        if self.folder is None:
            return self.module
        dtype = str(network.dtype).removeprefix("torch.")
        module, *_ = load_pretrained(str(self.folder), dtype=dtype)
        return module.eval().to(network.device)


def find_subjects(names: Sequence[str], shapes: Sequence[str], dtype: str) -> Iterator[Subject]:
    """Load each model when its turn comes: those named, and random ones of these shapes."""
    chosen = names or (() if shapes else (EMBEDDED, SMOLLM2))
    for name in chosen:
        model = load_model(name, LoadOptions(dtype=dtype))
        if not isinstance(model, LocalModel):
            raise click.UsageError(f"{name} is not in this process; the bench is of those")
        yield Subject(name, model, _folder(name))
    for shape in shapes:
        model, module = random_model(shape)
        yield Subject(shape, model, None, module)


def _folder(name: str) -> Path:
    if name == EMBEDDED:
        return EMBEDDED_PATH
    return converted() if name == SMOLLM2 else Path(name)
