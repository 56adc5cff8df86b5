"""Fits meaning vectors to unlabelled text: one streaming pass, memory width² and no more."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from similarity.errors import UnsupportedError
from similarity.models.base import Advance, LanguageModel, ignore_progress
from similarity.vectors.config import GroupConfig, ProfileConfig, VectorConfig
from similarity.vectors.kinds import fitted_reader
from similarity.vectors.meaning import BATCH_TEXTS, Corpus, Group, MeaningVectors
from similarity.vectors.storage import rounded
from similarity.vectors.whitening import WhiteningFit

# Batches whose trigrams are counted; their texts are held, some megabytes at most.
HEAD_BATCHES = 64


def fit(
    model: LanguageModel,
    texts: Iterable[str],
    config: VectorConfig,
    advance: Advance = ignore_progress,
) -> MeaningVectors:
    """Fit vectors to unlabelled texts, which are read once and never held together.

    Trigrams are counted in the first HEAD_BATCHES × BATCH_TEXTS texts: mix the texts if they are
    sorted. A text that is too long for the model is left out.

    Parameters
    ----------
    advance
        Called with the number of texts taken in.

    Raises
    ------
    InputError
        If there are too few texts, or one is empty or not valid Unicode.
    UnsupportedError
        If the model does not give what a group needs.
    """
    batches = _batches(model, texts, config)
    head = list(islice(batches, HEAD_BATCHES))
    counted = [text for batch in head for text in batch]
    readers = {group.name: fitted_reader(group, counted) for group in config.groups}
    for reader in readers.values():
        if not reader.needs <= model.abilities:
            needed = ", ".join(sorted(reader.needs - model.abilities))
            raise UnsupportedError(
                f"{model.info.name} is reached in a way that does not give {needed}; load the "
                "model in this process, or give --tokens for a model server"
            )
    fits: dict[str, WhiteningFit] = {}
    digest, count = hashlib.sha256(), 0
    for batch in chain(head, batches):
        for name, reader in readers.items():
            rows = reader.rows(model, batch)
            fits.setdefault(name, WhiteningFit(rows.shape[1])).add(rows)
        digest.update("".join(f"{text}\n" for text in batch).encode())
        count += len(batch)
        advance(len(batch))

    def group(settings: GroupConfig) -> Group:
        reader = readers[settings.name]
        found = fits.get(settings.name, WhiteningFit(1))
        # In the precision that files keep, so that a text has the same vector from there.
        return Group(settings, reader, rounded(reader.whitening(model, found)))

    return MeaningVectors(
        model=model,
        config=config,
        groups={settings.name: group(settings) for settings in config.groups},
        corpus=Corpus(count, f"sha256:{digest.hexdigest()[:16]}"),
    )


def _batches(
    model: LanguageModel, texts: Iterable[str], config: VectorConfig
) -> Iterator[list[str]]:
    """Cut the texts into batches, without those that are too long for the model."""
    stream = iter(texts)
    prompts = [group.prompt for group in config.groups if isinstance(group, ProfileConfig)]
    while batch := list(islice(stream, BATCH_TEXTS)):
        for prompt in prompts:
            prefixes = model.encode_all([prompt.apply(text) for text in batch])
            fitting = zip(batch, prefixes, strict=True)
            batch = [text for text, ids in fitting if len(ids) < model.info.context_length]
        yield batch
