"""The in-process backend: any causal language model of transformers, on CPU or GPU."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from similarity.arrays import LogProbs, Rows
from similarity.errors import MissingDependencyError, UnsupportedError
from similarity.extras import unusable
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    ModelInfo,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.failures import one_line

try:
    import torch
    import transformers  # said here to be missing, before what builds on it
except ImportError as error:
    needed = "a model in this process needs torch and transformers"
    raise MissingDependencyError(unusable(error, needed, "torch transformers")) from error

from similarity.models import packing, sampling
from similarity.models.context import context_length
from similarity.models.devices import dtype_on, find_device
from similarity.models.head import Head
from similarity.models.loader import EMBEDDED_PATH, LoadOptions
from similarity.models.native import native
from similarity.models.network import Network
from similarity.models.packaged import load_llama
from similarity.models.padding import batches_by_length
from similarity.models.pretrained import load_pretrained
from similarity.models.probes import prepack, try_network
from similarity.models.revision import revision, unchanged
from similarity.models.states import PrefixStates, chosen_log_probs
from similarity.models.tokenization import Tokenization, Tokenized, end_ids
from similarity.models.unmapped import take_from_files
from similarity.models.verification import Verified

# Chosen by `make bench` on two CPU cores; a GPU wants more in flight.
MAX_ROWS = {"cpu": 512, "cuda": 4096}
# Logits held at once, tokens read × vocabulary: 128 MiB and 1 GiB in float32.
MAX_LOGITS = {"cpu": 1 << 25, "cuda": 1 << 28}
# Tokens read at once where logits are made of some states at a time, unless logits allow for more.
LEAST_READ = {"cpu": 0, "cuda": 16384}


class LocalModel(Tokenized):
    """A transformers model and its tokenizer, loaded by `load_local`."""

    remedy = "give another model"

    def __init__(
        self, network: Network, tokenizer: Any, info: ModelInfo, assets: Path | None = None
    ) -> None:
        self.network = network
        self.info = info
        self.assets = assets
        self.end_ids = end_ids(network.module, tokenizer)
        self.tokenization = Tokenization(tokenizer, self.end_ids, network.rows)
        self.vocab_size = network.vocab_size
        self._verified = Verified(network, self._shorten)
        self._state_reader: PrefixStates | None = None
        of_head = (Ability.NEXT_STATES, Ability.OUTPUT_HEAD) if network.head is None else ()
        self.abilities = frozenset(Ability) - {Ability.IMAGES, *of_head}
        device = network.device.type
        # A thread that waits for a GPU turns in place: that is no sign of work.
        self.on_processor = device == "cpu"
        self._max_batch_tokens = MAX_LOGITS[device] // network.vocab_size
        self._max_rows = min(MAX_ROWS[device], max(1, self._max_batch_tokens))
        self._max_read_tokens = max(self._max_batch_tokens, LEAST_READ[device] * network.narrow)

    def _shorten(self, limit: int) -> None:
        """Lower the context length to what the network can read."""
        self.info = replace(self.info, context_length=min(limit, self.info.context_length))

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample rows of many requests together, each prefix read once."""
        results: list[list[Continuation]] = [[] for _ in requests]
        limit, equal = self.info.context_length, not self.network.pads_state
        with self.network.pauses.reporting(on_progress) as report:
            for rows in sampling.batches(requests, self._max_rows, limit, equal_length=equal):
                self._verified.sample(rows, law, self.end_ids, lambda: report(0))
                for row in rows:
                    results[row.owner].append(row.continuation(self.end_ids))
                report(sum(row.last for row in rows))
        return results

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score the continuations of each prefix in packs that share it."""
        results = [dict[int, LogProbs]() for _ in requests]
        with self.network.pauses.reporting(on_progress) as report:
            for batch in self._packed(requests, self._max_read_tokens):
                for owner, number, found in self._verified.read(batch, law, packing.score_packs):
                    results[owner][number] = found
                    report(len(results[owner]) == len(requests[owner].continuations))
        return [[scored[i] for i in range(len(scored))] for scored in results]

    def tokens_read(self, requests: Sequence[ScoreRequest]) -> int:
        """Count the tokens of packs: a prefix once for each."""
        batches = self._packed(requests, self._max_read_tokens)
        return sum(len(pack.ids) for batch in batches for pack in batch)

    def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
        """Read the packs that `score` reads, and keep the whole distributions."""
        results, way = [dict[int, Rows]() for _ in requests], packing.distributions_of_packs
        for batch in self._packed(requests, self._max_batch_tokens):
            for owner, number, rows in self._verified.read(batch, law, way):
                results[owner][number] = rows
        return [[found[i] for i in range(len(found))] for found in results]

    def hidden_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> list[Rows]:
        """Read prefixes of like length together."""
        # Where padding moves numbers each is read alone.
        states, size = dict[int, Rows](), self._max_batch_tokens if self.network.pads else 1
        with self.network.pauses.reporting(on_progress) as report:
            for batch in batches_by_length(prefixes, size):
                with self._verified.reading(max(len(prefixes[i]) for i in batch)):
                    found = packing.hidden_states(self.network, [prefixes[i] for i in batch])
                states |= zip(batch, found, strict=True)
                report(len(batch))
        return [states[i] for i in range(len(prefixes))]

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Read prefixes of like length together and their common beginning once, without logits."""
        with self.network.pauses.reporting(on_progress) as report:
            found: Rows = self._states().read(prefixes, report).float().cpu().numpy()
        return found

    def output_head(self) -> tuple[Rows, Rows | None]:
        """Return the head's weight and bias, read only."""
        return self._head().arrays()

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Compute the logits of some states at a time, and keep the chosen columns."""
        if self.network.head is None:
            return super().next_log_probs(prefixes, token_ids, on_progress)
        with self.network.pauses.reporting(on_progress) as report:
            states = self._states().read(prefixes, report)
        most = self._max_batch_tokens
        rows: Rows = chosen_log_probs(states, self.network.head, token_ids, most).cpu().numpy()
        return rows

    def _states(self) -> PrefixStates:
        if self._state_reader is None:
            self._state_reader = PrefixStates(self.network, self._head(), self._verified)
        return self._state_reader

    def _head(self) -> Head:
        if self.network.head is None:
            raise UnsupportedError(
                f"the logits of {self.info.name} are no affine map of its last state; use "
                "distributions, or another model"
            )
        return self.network.head

    def _packed(self, requests: Sequence[ScoreRequest], most: int) -> Iterator[list[packing.Pack]]:
        packs = [
            pack
            for owner, request in enumerate(requests)
            for pack in packing.make_packs(owner, request, self._pack_tokens(request, most))
        ]
        return self._verified.batches(packs, most)

    def _pack_tokens(self, request: ScoreRequest, most: int) -> int:
        """Return the most tokens to read in a pack; 0 makes packs of one continuation."""
        longest = len(request.prefix) + max(map(len, request.continuations), default=0)
        if not self.network.packs or longest > self.network.pack_window:
            return 0
        if self.network.branches:
            return most
        return min(packing.pack_tokens(len(request.prefix)), self.network.pack_window)


def load(name: str, options: LoadOptions) -> LocalModel:
    """Load a folder or a hub id, for the table of backends."""
    return load_local(name, device=options.device, dtype=options.dtype)


def load_embedded(name: str, options: LoadOptions) -> LocalModel:
    """Load the model in the package, for the table of backends."""
    with unchanged(EMBEDDED_PATH):
        module, tokenizer = load_llama(EMBEDDED_PATH, dtype_on(options.device, options.dtype))
        return local_model(
            module,
            tokenizer,
            name=name,
            revision=revision(EMBEDDED_PATH, None),
            device=options.device,
            assets=EMBEDDED_PATH,
        )


def load_local(
    source: str,
    *,
    name: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    networks: Any = transformers.AutoModelForCausalLM,
    kind: Callable[..., LocalModel] = LocalModel,
) -> LocalModel:
    """Load a causal language model from a folder or a hub id; remote code is never run.

    Parameters
    ----------
    name
        What the fingerprint calls it; by default the source, or a folder's own name.
    device
        "cpu", "cuda", or "auto" for a GPU where there is one.
    dtype
        Of the arithmetic: "auto", "fastest" (see `devices.dtype_on`), or a type by name.
    networks
        What chooses the network's class, of transformers.
    kind
        Makes the model, as `local_model` takes it.

    Raises
    ------
    ModelNotFoundError
        If nothing can be loaded from there.
    ModelError
        If there is no such device, or a file or a weight is missing, damaged or of another model.
    """
    folder = Path(source)
    with unchanged(folder):
        module, tokenizer, commit = load_pretrained(
            source, dtype=dtype_on(device, dtype), networks=networks
        )
        return local_model(
            module,
            tokenizer,
            name=name or (folder.resolve().name if folder.is_dir() else source),
            revision=revision(folder, commit),
            device=device,
            assets=folder if folder.is_dir() else None,
            kind=kind,
        )


def local_model(
    module: Any,
    tokenizer: Any,
    *,
    name: str,
    revision: str,
    device: str,
    assets: Path | None,
    kind: Callable[..., LocalModel] = LocalModel,
) -> LocalModel:
    """Return the model of a network and a tokenizer that were loaded, on a device.

    Parameters
    ----------
    kind
        Makes it of network, tokenizer, information and assets.

    Raises
    ------
    ModelError
        If the network cannot be read, or its numbers cannot be right.
    """
    with one_line(name), torch.inference_mode():
        module = module.to(find_device(device))
        network = Network(native(module))
        checks = []
        for check in try_network(network):
            if check.error is not None:
                raise check.error
            checks.append(check)
        dtype, length = str(module.dtype).removeprefix("torch."), context_length(network, tokenizer)
        info = ModelInfo(name=name, revision=revision, dtype=dtype, context_length=length)
        model = kind(network, tokenizer, info, assets)
        checks.append(prepack(network))
        # Only then, as most weights are copied by that.
        take_from_files(network.module)
        checks += model.tokenization.checks()
        model.findings = [(check.name, check.found) for check in checks]
        return model
