"""Fits meaning vectors to unlabelled text: one streaming pass, memory width² and no more."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain, islice, repeat

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.errors import ConfigError, InputError, UnsupportedError
from similarity.given import check_as_many, check_several
from similarity.models.base import Ability, LanguageModel, OnProgress, ignore_progress
from similarity.prompts import Prompt
from similarity.trajectories import check_room
from similarity.validation import check_kind
from similarity.vectors.config import (
    GroupConfig,
    ProfileConfig,
    Prompted,
    TrajectoriesConfig,
    VectorConfig,
)
from similarity.vectors.identity import FitIdentity, Labelled
from similarity.vectors.kinds import fitted_reader
from similarity.vectors.looking import check_spread
from similarity.vectors.meaning import (
    BATCH_TEXTS,
    Corpus,
    Group,
    MeaningVectors,
    ReadsGroups,
    read_groups,
)
from similarity.vectors.recipes import SERVED_TOKENS, config_for
from similarity.vectors.storage import rounded
from similarity.vectors.whitening import WhiteningFit

# Batches whose trigrams are counted; their texts are held, some megabytes at most.
HEAD_BATCHES = 64
# A covariance needs two.
LEAST_TEXTS = 2


def fit(
    model: LanguageModel,
    texts: Iterable[str],
    config: VectorConfig | None = None,
    on_progress: OnProgress = ignore_progress,
    registers: Sequence[str | None] = (),
    read: ReadsGroups = read_groups,
) -> MeaningVectors:
    """Fit vectors to unlabelled texts, which are read once and never held together.

    Trigrams are counted in the first HEAD_BATCHES × BATCH_TEXTS texts: mix the texts if they are
    sorted. A text that is too long for the model is left out.

    Parameters
    ----------
    config
        None for the settings of `trajsim fit`.
    on_progress
        Called with the number of texts taken in.
    registers
        The register of each text, such as "questions", None for none; or nothing of any. Profiles
        leave out what only distinguishes registers.
    read
        Reads the features, as `KeptReading.read` does where a fit that failed shall go on.

    Raises
    ------
    InputError
        If there are too few texts, one is empty or not valid Unicode, registers are not as many,
        or a prompt leaves no room for any (TextTooLongError).
    ConfigError
        If the model or the config is none, or a profile looks at too few tokens to tell texts
        apart.
    UnsupportedError
        If the model does not give what a group needs.
    WrongAnswerError
        If what it gives hardly depends on the text.
    """
    check_several(texts)
    check_kind("model", model, LanguageModel, "what load_model returns")
    if config is not None:
        check_kind("config", config, VectorConfig, "a VectorConfig")
    if isinstance(registers, str) or not isinstance(registers, Sequence):
        raise InputError(f"registers must be a list of names, got {repr(registers)[:40]}")
    config = config or config_for(model)
    identity = FitIdentity()
    given = identity.passing(_labelled(texts, registers) if registers else zip(texts, repeat(None)))
    batches = _batches(model, given, config)
    head = list(islice(batches, HEAD_BATCHES))
    counted = [text for batch in head for text, _ in batch]
    if len(counted) < LEAST_TEXTS:
        raise InputError(
            f"the corpus has too few texts that the model can take: {len(counted)}; give "
            f"{LEAST_TEXTS} or more, some hundreds for vectors worth having"
        )
    readers = {group.name: fitted_reader(model, group, counted) for group in config.groups}
    for one in config.groups:
        needs = readers[one.name].needs
        if not needs <= model.abilities:
            needed = ", ".join(sorted(needs - model.abilities))
            raise UnsupportedError(
                f"{model.info.name} does not give {needed} here; {model.remedy}, or "
                f"{_less(model, one)}"
            )
    fits = {name: _Fits() for name in readers}
    several = len(set(counted)) > 1
    digest, count = hashlib.sha256(), 0
    for labelled in chain(head, batches):
        batch = [text for text, _ in labelled]
        labels = [label for _, label in labelled]
        for name, rows in read(readers, model, batch, on_progress).items():
            fits[name].add(rows, labels)
        digest.update("".join(f"{text}\n" for text in batch).encode())
        count += len(batch)

    def group(settings: GroupConfig) -> Group:
        reader, found = readers[settings.name], fits[settings.name]
        if isinstance(settings, Prompted) and several:
            check_spread(model, settings.name, found.of_all)
        try:
            whitening = reader.whitening(model, found.of_all, found.means())
        except InputError as error:
            if not (isinstance(settings, ProfileConfig) and settings.tokens and several):
                raise
            raise ConfigError(
                f"tokens {settings.tokens} are too few: by them the {found.of_all.rows} texts are "
                f"all the same to the model; give more, such as {SERVED_TOKENS}"
            ) from error
        # In the precision that files keep, so that a text has the same vector from there.
        return Group(settings, reader, rounded(whitening))

    return MeaningVectors(
        model=model,
        config=config,
        groups={settings.name: group(settings) for settings in config.groups},
        corpus=Corpus(count, f"sha256:{digest.hexdigest()[:16]}", identity.registers),
    )


class _Fits:
    """The statistics of one group's rows: of all, and of each register."""

    def __init__(self) -> None:
        self.of_all = WhiteningFit(1)
        self._sums: dict[str, FloatArray] = {}
        self._counts: Counter[str] = Counter()

    def add(self, rows: Rows, labels: Sequence[str | None]) -> None:
        """Take in rows, shape "text feature", and the register of each, if those are known."""
        if self.of_all.width != rows.shape[1]:
            self.of_all = WhiteningFit(rows.shape[1])
        self.of_all.add(rows)
        for row, label in zip(rows, labels, strict=True):
            if label is not None:
                self._sums[label] = self._sums.get(label, 0.0) + row.astype(np.float64)
                self._counts[label] += 1

    def means(self) -> FloatArray:
        """Return the mean row of each register, shape "register feature"."""
        means = [total / self._counts[label] for label, total in sorted(self._sums.items())]
        return np.array(means).reshape(len(means), self.of_all.width)


def _less(model: LanguageModel, group: GroupConfig) -> str:
    """Return what to do for a group that a model gives what it needs, for a message."""
    by_tokens = Ability.TOKEN_LOG_PROBS in model.abilities
    if by_tokens and isinstance(group, ProfileConfig):
        # In the words of the command line too, which knows no groups.
        return f"set tokens to a number, such as {SERVED_TOKENS}"
    less = "TrajectoriesConfig()" if model.generates else "StatesConfig()"
    less = f"ProfileConfig(tokens={SERVED_TOKENS})" if by_tokens else less
    return f"give groups that need less, as {less}"


def _labelled(texts: Iterable[str], registers: Sequence[str | None]) -> Iterator[Labelled]:
    """Return each text with its register; texts that come one by one are counted as they come."""
    if isinstance(texts, Sized):
        check_as_many("texts", len(texts), "registers", len(registers))
    return _counted(iter(texts), registers)


def _counted(texts: Iterator[str], registers: Sequence[str | None]) -> Iterator[Labelled]:
    count = 0
    # The registers first: a text would be taken, and lost, before they are found to be out.
    for register, text in zip(registers, texts, strict=False):
        count += 1
        yield text, register
    check_as_many("texts", count + sum(1 for _ in texts), "registers", len(registers))


def _batches(
    model: LanguageModel, texts: Iterator[Labelled], config: VectorConfig
) -> Iterator[list[Labelled]]:
    """Cut the texts into batches, without those that are too long for the model."""
    prompts = [(Prompt(), 0)] + [
        (group.prompt, group.length if isinstance(group, TrajectoriesConfig) else 1)
        for group in config.groups
        if isinstance(group, Prompted)
    ]
    for prompt, continued in prompts:
        check_room(model, prompt, continued)
    while batch := list(islice(texts, BATCH_TEXTS)):
        for prompt, continued in prompts:
            room = model.info.context_length - continued
            prefixes = model.encode_all([prompt.apply(text) for text, _ in batch])
            fitting = zip(batch, prefixes, strict=True)
            batch = [one for one, ids in fitting if len(ids) <= room]
        if batch:
            yield batch
