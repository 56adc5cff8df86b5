"""The backend for GGUF files: their weights are dequantised at each load, by transformers."""

from pathlib import Path

from similarity.errors import ModelError
from similarity.models.devices import dtype_on
from similarity.models.loader import LoadOptions, gguf_files
from similarity.models.local import LocalModel, local_model
from similarity.models.pretrained import load_pretrained
from similarity.models.revision import revision, unchanged


def load(name: str, options: LoadOptions) -> LocalModel:
    """Load a GGUF file, or the only one in a folder, for the table of backends.

    Raises
    ------
    ModelNotFoundError
        If there is no such file.
    ModelError
        If a folder has several, or transformers cannot read the file; the message says why.
    """
    path = _only_file(Path(name))
    with unchanged(path):
        module, tokenizer, _ = load_pretrained(
            str(path.parent), dtype=dtype_on(options.device, options.dtype), gguf_file=path.name
        )
        return local_model(
            module,
            tokenizer,
            name=path.stem,
            revision=revision(path, None),
            device=options.device,
            assets=path.parent,
        )


def _only_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if not (found := gguf_files(path)):
        raise ModelError(f"{path} is a folder, and has no GGUF file; give the file itself")
    first, *others = found
    if others:
        names = ", ".join(file.name for file in (first, *others))
        raise ModelError(f"{path} has several GGUF files: {names}; give one of them as the model")
    return first
