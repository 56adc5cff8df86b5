"""Loads a network and its tokenizer by transformers, whole or not at all.

transformers fills missing weights with random numbers and leaves out those that it has no place
for; here both are errors, and every failure is one line.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from huggingface_hub.errors import (
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from similarity.errors import (
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    TrajsimError,
    WrongAnswerError,
)
from similarity.models.model_files import check_file, check_folder

logger = logging.getLogger(__name__)

# Seconds to ask the hub which commit a model is at.
HUB_TIMEOUT = 10.0
_LONGEST_MESSAGE = 300
# Weights of a checkpoint that a language network has no place for and does not need: encoders of
# images and sound, heads of other tasks, further heads that speculate. In a layer of the network,
# which has a number, none is one of those.
_FOREIGN = re.compile(
    r"^([^.\d]+\.)*?([^.\d]*_)?(vision|visual|image|audio|speech|video|multi_modal|mtp|score|"
    r"classifier|v_head|value_head|pooler|seq_relationship)([._]|\d|$)"
)
# Constants, which old checkpoints have in every layer.
_CONSTANT = re.compile(r"(^|[._])(inv_freq|masked_bias|position_ids)$")


def load_pretrained(
    source: str,
    *,
    dtype: str,
    gguf_file: str | None = None,
    bars: bool = False,
    networks: Any = transformers.AutoModelForCausalLM,
) -> tuple[Any, Any]:
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
    folder, where = Path(source), dict[str, Any]()
    if gguf_file is not None:
        _check_gguf(folder / gguf_file)
        where = {"gguf_file": gguf_file}
    elif folder.is_dir():
        check_folder(folder)
    else:
        where = on_hub(source)
    named = source if gguf_file is None else str(folder / gguf_file)
    found = Path(named).exists()
    what = f"the tokenizer of {named}" if found else named
    with one_line(what, found=found), quiet(bars):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source, trust_remote_code=False, **where
        )
    with one_line(named, found=found), quiet(bars):
        loaded: Any = networks.from_pretrained(
            source,
            trust_remote_code=False,
            dtype=dtype,
            output_loading_info=True,
            # Told of in `mismatched_keys` then, by name.
            ignore_mismatched_sizes=True,
            **where,
        )
    module, told = loaded
    if gguf_file is not None:
        # What is loaded is quantised no more.
        del module.config.quantization_config
    check_weights(named, module, told)
    return module, tokenizer


def _check_gguf(path: Path) -> None:
    """Raise an error unless the file is a GGUF file, and can be read with what is installed."""
    check_file(path)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{path} is no GGUF file; copy it again")
    if missing := [name for name in ("gguf", "accelerate") if find_spec(name) is None]:
        raise MissingDependencyError(
            f"a GGUF file needs {' and '.join(missing)}: pip install {' '.join(missing)}"
        )


def check_weights(source: str, module: Any, told: dict[str, Any]) -> None:
    """Check that every weight of a network is the checkpoint's, and the other way round.

    Parameters
    ----------
    told
        What transformers told of loading.

    Raises
    ------
    WrongAnswerError
        If weights are missing, of another shape, left out, or no numbers.
    """
    for found, keys in (
        ("is missing from the checkpoint, and random numbers would be in its place", "missing"),
        ("has another shape in the checkpoint than in the network", "mismatched"),
        ("is in the checkpoint, and the network has no place for it", "unexpected"),
    ):
        names = {_name(key) for key in told[f"{keys}_keys"]}
        if keys == "unexpected":
            names = {n for n in names if not (_FOREIGN.search(n) or _CONSTANT.search(n))}
        if names:
            raise _wrong(source, names, found)
    if told.get("error_msgs") or told.get("conversion_errors"):
        errors = told.get("error_msgs") or told.get("conversion_errors")
        raise WrongAnswerError(f"cannot load {source}: {_line(errors)}")
    if _is_quantised(module.config) and getattr(module, "hf_quantizer", None) is None:
        raise ModelError(
            f"{source} is quantised in a way that this transformers does not know; give the "
            "weights before quantisation"
        )
    infinite = {
        name
        for name, weight in module.named_parameters()
        if weight.is_floating_point() and not _is_finite(weight)
    }
    if infinite:
        raise _wrong(source, infinite, "has values that are not finite numbers")


def _wrong(source: str, names: Iterable[str], found: str) -> WrongAnswerError:
    first, *others = sorted(names)
    more = f" (and {len(others)} more)" if others else ""
    return WrongAnswerError(
        f"cannot load {source}: weight {first}{more} {found}; give the checkpoint whole, with the "
        "config.json that belongs to it"
    )


@torch.inference_mode()
def _is_finite(weight: torch.Tensor) -> bool:
    # One pass in the weight's own type: NaN is both the least and the greatest of any numbers.
    return all(bool(end.isfinite()) for end in torch.aminmax(weight))


def _name(key: Any) -> str:
    """Return the name of a weight, which comes with its shapes where those do not match."""
    return str(key[0] if isinstance(key, tuple) else key)


def _is_quantised(config: Any) -> bool:
    return bool(getattr(config, "quantization_config", None))


def on_hub(source: str) -> dict[str, Any]:
    """Return how to load a hub's model: at its present commit, or from the cache alone."""
    try:
        return {"revision": huggingface_hub.model_info(source, timeout=HUB_TIMEOUT).sha}
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise _not_found(source, error) from error
    except Exception as error:  # of whichever HTTP library the hub's client is built on
        logger.info("the hub cannot be asked (%s): what is in its cache will do", error)
        return {"local_files_only": True}


@contextmanager
def one_line(source: str, *, found: bool = True) -> Iterator[None]:
    """Translate whatever loading raises, of any of the libraries under it, to one line.

    Parameters
    ----------
    found
        Whether there is such a model at all.

    Raises
    ------
    ModelNotFoundError, MissingDependencyError, ModelError
        In place of what is none of this library's errors.
    """
    try:
        yield
    except (TrajsimError, MemoryError):
        raise
    except ImportError as error:
        raise MissingDependencyError(f"cannot load {source}: {_line(error)}") from error
    except Exception as error:
        if found:
            raise ModelError(f"cannot load {source}: {_line(error)}") from error
        raise _not_found(source, error) from error


def _not_found(source: str, error: Exception) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"no model {source!r}: {_reason(error)}; give 'embedded', 'toy', 'smollm2', the folder of "
        "a causal language model, or the id of one on a hub that can be reached"
    )


def _reason(error: BaseException) -> str:
    """Return why a hub does not give a model, in words for who meant a folder."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    if any(isinstance(cause, HFValidationError) for cause in causes):
        return "there is no such folder, and it cannot be the id of a model on a hub"
    if any(isinstance(cause, LocalEntryNotFoundError) for cause in causes):
        return "there is no such folder, and the hub cannot be reached"
    return _line(error)


def _line(error: object) -> str:
    """Return what an error says, on one line and not too long."""
    if isinstance(error, KeyError):  # which says a name, and not what is with it
        return f"it has no {error}, or one that transformers does not know"
    line = " ".join(str(error).split()) or repr(error)
    return line[:_LONGEST_MESSAGE].rstrip(". ")


@contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """Load or save without transformers' own bars and tables: what is wrong is an error here."""
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
