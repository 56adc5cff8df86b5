"""Loads a network and its tokenizer by transformers, whole or not at all.

transformers fills missing weights with random numbers and leaves out those that it has no place
for; here both are errors, and every failure is one line.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import transformers

from similarity.errors import ModelError
from similarity.models.failures import one_line
from similarity.models.gguf_parts import check_gguf, check_parts
from similarity.models.hub import on_hub, snapshot
from similarity.models.model_files import check_folder
from similarity.models.stored_types import Stored, check_types, strange_matrices
from similarity.models.weights import check_weights

# Files that a tokenizer may be made of.
_OF_TOKENIZER = re.compile(r"^tokenizer\.json$|vocab|merges|spiece|tiktoken|tekken|\.model")


class Loaded(NamedTuple):
    """A network, its tokenizer, and the commit of the hub that they are at, if of a hub."""

    module: Any
    tokenizer: Any
    commit: str | None


def load_pretrained(
    source: str,
    *,
    dtype: str,
    gguf_file: str | None = None,
    bars: bool = False,
    networks: Any = transformers.AutoModelForCausalLM,
) -> Loaded:
    """Load network and tokenizer from a folder or a hub id; remote code is never run.

    Parameters
    ----------
    dtype
        Of the weights, for example "float32"; "auto" is that of the checkpoint.
    gguf_file
        Name of a GGUF file in the folder, whose weights are dequantised.
    bars
        Show transformers' own progress bars.
    networks
        What chooses the network's class, of transformers.

    Raises
    ------
    ModelNotFoundError
        If there is no such folder or hub id.
    ModelError
        If a file or a weight is missing, damaged or of another model: the message names it.
    MissingDependencyError
        If the checkpoint is quantised, and the library for that is not installed.
    """
    named, where, strange = source, dict[str, Any](), list[Stored]()
    with ExitStack() as stack:
        if gguf_file is not None:
            path = (Path(source) / gguf_file).absolute()
            check_gguf(path)
            # In an empty folder: other files beside it must have no effect.
            source = stack.enter_context(TemporaryDirectory())
            named, where = str(path), {"gguf_file": str(path)}
        elif Path(source).is_dir():
            check_folder(Path(source))
            strange = strange_matrices(Path(source))
        else:
            where = on_hub(source)
        module, loading_info, tokenizer = _read(source, named, where, dtype, bars, networks)
    commit = where.get("revision")
    if commit is not None:
        strange = strange_matrices(snapshot(source, commit))
    if gguf_file is not None:
        # What is loaded is quantised no more.
        del module.config.quantization_config
    check_weights(named, module, loading_info)
    if gguf_file is not None:
        with one_line(named):
            check_parts(Path(named), module)
    check_types(strange, module, loading_info["unexpected_keys"])
    return Loaded(module, tokenizer, commit)


def _read(
    source: str, named: str, where: dict[str, Any], dtype: str, bars: bool, networks: Any
) -> tuple[Any, dict[str, Any], Any]:
    """Return a network, transformers' information on loading it, and the tokenizer."""
    found = Path(named).exists()
    with quiet(bars):
        if Path(named).is_dir():
            with one_line(f"{named}/config.json"):
                transformers.AutoConfig.from_pretrained(named, trust_remote_code=False)
        what = f"the tokenizer of {named}" if found else named
        with one_line(what, found=found), _missing(Path(named)):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                source, trust_remote_code=False, **where
            )
        with one_line(named, found=found):
            module, loading_info = networks.from_pretrained(
                source,
                trust_remote_code=False,
                dtype=dtype,
                output_loading_info=True,
                # They are listed in `mismatched_keys` then, by name.
                ignore_mismatched_sizes=True,
                **where,
            )
    return module, loading_info, tokenizer


@contextmanager
def _missing(folder: Path) -> Iterator[None]:
    """Raise ModelError if a tokenizer cannot be made because its files are missing."""
    try:
        yield
    except Exception as error:  # of whatever was tried in their place
        if not folder.is_dir() or any(_OF_TOKENIZER.search(path.name) for path in folder.iterdir()):
            raise
        raise ModelError(
            f"cannot load the tokenizer of {folder}: it has no tokenizer.json, nor other files of "
            "a tokenizer; copy those there that belong to the weights"
        ) from error


@contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """Silence transformers' own bars and tables: here all that is wrong is an error."""
    log: Any = transformers.utils.logging
    level, shown = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    with ExitStack() as stack:
        if not bars:
            log.disable_progress_bar()
            # The bar of dequantising heeds no setting; errors are raised, never printed.
            stack.enter_context(redirect_stderr(StringIO()))
        try:
            yield
        finally:
            log.set_verbosity(level)
            if shown:
                log.enable_progress_bar()
