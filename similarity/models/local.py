"""The in-process backend: any causal language model of transformers, on CPU or GPU."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from similarity.config import Law
from similarity.errors import MissingDependencyError, ModelError, ModelNotFoundError
from similarity.models.base import (
    Advance,
    Continuation,
    LanguageModel,
    LogProbs,
    ModelInfo,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)

try:
    import torch
    import transformers
except ImportError as error:
    raise MissingDependencyError(
        "a model in this process needs torch and transformers: pip install 'trajsim[local]'"
    ) from error

from similarity.models import packing, sampling
from similarity.models.network import Network

# Chosen by `make bench` on two CPU cores; a GPU wants more in flight.
MAX_ROWS = {"cpu": 512, "cuda": 4096}
MAX_BATCH_TOKENS = {"cpu": 4096, "cuda": 65536}
# Beyond this the quadratic cost of a dense block mask outweighs reading the prefix again.
MAX_PACK_TOKENS = 384


class LocalModel(LanguageModel):
    """A transformers model and its tokenizer, loaded by `load_local`."""

    def __init__(self, network: Network, tokenizer: Any, info: ModelInfo) -> None:
        self.network = network
        self.info = info
        self._tokenizer = tokenizer
        self.end_ids = _end_ids(network.module, tokenizer)
        device = network.device.type
        self._max_rows = MAX_ROWS.get(device, 512)
        self._max_batch_tokens = MAX_BATCH_TOKENS.get(device, 4096)

    def encode(self, text: str) -> TokenIds:
        """Return ids with the tokenizer's own beginning of text, never an end of sequence."""
        # A text that spells a special token is text: it must not end the sequence.
        ids = self._tokenizer(text, split_special_tokens=True)["input_ids"]
        while len(ids) > 1 and ids[-1] in self.end_ids:
            ids = ids[:-1]
        return tuple(ids)

    def decode(self, token_ids: TokenIds) -> str:
        """Return the text without special tokens; bytes that are not UTF-8 show as U+FFFD."""
        return str(
            self._tokenizer.decode(
                token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, advance: Advance = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample rows of many requests together, each prefix read once."""
        results: list[list[Continuation]] = [[] for _ in requests]
        equal_length = not self.network.packs
        # Below single precision, stepping and reading at once do not agree to rounding.
        exact = self.network.dtype in (torch.float32, torch.float64)
        for rows in sampling.batches(requests, self._max_rows, equal_length=equal_length):
            sampling.sample_rows(self.network, rows, law, self.end_ids)
            for row in rows:
                results[row.owner].append(row.continuation(keep_log_probs=exact))
            advance(sum(row.trajectory == row.request.n - 1 for row in rows))
        return results

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, advance: Advance = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score the continuations of each prefix in packs that share it."""
        results = [dict[int, LogProbs]() for _ in requests]
        packs = [
            pack
            for owner, request in enumerate(requests)
            for pack in packing.make_packs(owner, request, self._pack_tokens(request))
        ]
        for batch in packing.batches(packs, self._max_batch_tokens):
            for owner, number, log_probs in packing.score_packs(self.network, batch, law):
                results[owner][number] = log_probs
                advance(len(results[owner]) == len(requests[owner].continuations))
        return [[scored[i] for i in range(len(scored))] for scored in results]

    def _pack_tokens(self, request: ScoreRequest) -> int:
        """Return the read tokens of a pack; 0 makes packs of one continuation."""
        longest = len(request.prefix) + max(map(len, request.continuations), default=0)
        fits = self.network.packs and longest <= self.network.pack_window
        return MAX_PACK_TOKENS if fits else 0


def load_local(
    source: str, *, name: str | None = None, device: str = "auto", dtype: str = "auto"
) -> LocalModel:
    """Load a causal language model from a folder or a hub id; remote code is never run.

    Parameters
    ----------
    name
        What the fingerprint calls it; by default the source, or a folder's own name.
    device
        "cpu", "cuda", or "auto" for a GPU where there is one.
    dtype
        Of the arithmetic; "auto" is float32 on a CPU and the model's own on a GPU.

    Raises
    ------
    ModelNotFoundError
        If nothing can be loaded from there.
    ModelError
        If there is no such device.
    """
    place = _device(device)
    chosen = "float32" if dtype == "auto" and place.type == "cpu" else dtype
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        module = transformers.AutoModelForCausalLM.from_pretrained(
            source, trust_remote_code=False, dtype=chosen
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFoundError(
            f"no model {source!r}: {_first_line(error)}; give 'embedded', 'toy', the folder of "
            "a causal language model, or the id of one on a hub that can be reached"
        ) from error
    folder = Path(source)
    info = ModelInfo(
        name=name or (folder.resolve().name if folder.is_dir() else source),
        revision=_revision(folder, module),
        dtype=str(module.dtype).removeprefix("torch."),
        context_length=_context_length(module, tokenizer),
    )
    with torch.inference_mode():
        network = Network(module.to(place))
    return LocalModel(network, tokenizer, info)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("no CUDA device here; give --device cpu, or install a CUDA build of torch")
    return torch.device(name)


def _end_ids(module: Any, tokenizer: Any) -> frozenset[int]:
    """Return every id that the model or its tokenizer calls an end of sequence."""
    configs = (module.config, module.generation_config, tokenizer)
    return frozenset(
        token
        for config in configs
        for ids in [getattr(config, "eos_token_id", None)]
        for token in (ids if isinstance(ids, list) else [ids])
        if token is not None
    )


def _context_length(module: Any, tokenizer: Any) -> int:
    """Return the smaller limit of network and tokenizer; recurrent networks may have none."""
    config = module.config.get_text_config()
    limits = (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length)
    return int(min(limit for limit in (*limits, 1 << 20) if limit))


def _revision(folder: Path, module: Any) -> str:
    """Return the hub's commit, or a hash of the folder's weights, tokenizer and settings."""
    if not folder.is_dir():
        return str(getattr(module.config, "_commit_hash", None) or "unknown")
    digest = hashlib.sha256()
    for path in _model_files(folder):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _model_files(folder: Path) -> Iterator[Path]:
    patterns = ("*.json", "*.safetensors", "*.bin", "*.model")
    yield from sorted(path for pattern in patterns for path in folder.glob(pattern))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)
