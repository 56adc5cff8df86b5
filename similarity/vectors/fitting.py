"""Fits meaning vectors to unlabelled text: one streaming pass, memory width² and no more."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from similarity.models.base import Advance, LanguageModel, ignore_progress
from similarity.vectors.config import VectorConfig
from similarity.vectors.features import Reader, bare_prefixes
from similarity.vectors.meaning import BATCH_TEXTS, Corpus, MeaningVectors
from similarity.vectors.rarity import weights_by_rarity
from similarity.vectors.references import CANDIDATES, sample_references
from similarity.vectors.storage import rounded
from similarity.vectors.trigrams import BUCKETS, buckets
from similarity.vectors.whitening import WhiteningFit

# Batches whose tokens and trigrams are counted; their texts are held, some megabytes at most.
HEAD_BATCHES = 64


def fit(
    model: LanguageModel,
    texts: Iterable[str],
    config: VectorConfig | None = None,
    advance: Advance = ignore_progress,
) -> MeaningVectors:
    """Fit vectors to unlabelled texts, which are read once and never held together.

    The reference trajectories are sampled from the first texts, and tokens and trigrams
    counted in the first HEAD_BATCHES × BATCH_TEXTS: mix the texts if they are sorted.
    A text that is too long for the model is left out.

    Parameters
    ----------
    advance
        Called with the number of texts taken in.

    Raises
    ------
    InputError
        If there are too few texts, or one is empty or not valid Unicode.
    UnsupportedError
        If the model is reached in a way that does not tell what a group needs.
    """
    config = config or VectorConfig()
    batches = _batches(model, texts, config)
    head = list(islice(batches, HEAD_BATCHES))
    reader = _reader(model, [text for batch in head for text in batch], config)
    fits: dict[str, WhiteningFit] = {}
    digest, count = hashlib.sha256(), 0
    for batch in chain(head, batches):
        for group in config.groups:
            rows = reader.rows(group, batch)
            fits.setdefault(group, WhiteningFit(rows.shape[1])).add(rows)
        digest.update("".join(f"{text}\n" for text in batch).encode())
        count += len(batch)
        advance(len(batch))
    return MeaningVectors(
        model=model,
        config=config,
        references=reader.references,
        token_weights=reader.token_weights,
        trigram_weights=reader.trigram_weights,
        # In the precision that files keep, so that a text has the same vector from there.
        whitenings={
            group: rounded(found.fit(config.shrinkage, min(config.rank, found.width)))
            for group, found in fits.items()
        },
        corpus=Corpus(count, f"sha256:{digest.hexdigest()[:16]}"),
    )


def _reader(model: LanguageModel, head: Sequence[str], config: VectorConfig) -> Reader:
    candidates = head[: CANDIDATES * config.n_references]
    references = sample_references(model, candidates, config)
    counted = bare_prefixes(model, config, head)
    vocabulary = model.vocab_size or 1 + max(map(max, counted))
    return Reader(
        model,
        config,
        references,
        token_weights=weights_by_rarity(counted, vocabulary, config.smoothing),
        trigram_weights=weights_by_rarity(map(buckets, head), BUCKETS, config.smoothing),
    )


def _batches(
    model: LanguageModel, texts: Iterable[str], config: VectorConfig
) -> Iterator[list[str]]:
    """Cut the texts into batches, without those that are too long for the model."""
    stream = iter(texts)
    room = model.info.context_length - config.reference_tokens
    while batch := list(islice(stream, BATCH_TEXTS)):
        prefixes = model.encode_all([config.prompt.apply(text) for text in batch])
        fitting = zip(batch, prefixes, strict=True)
        yield [text for text, prefix in fitting if len(prefix) <= room]
