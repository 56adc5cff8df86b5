"""Makes the training data: a tokenizer, micro-batches of packed rows, and held-out texts.

The order in which the model reads is fixed here, so that a run is a pass over one file and
can stop and go on anywhere.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from itertools import count as count_from
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.mix import MIX, Source
from training.text import Document, held_out, pieces, read_documents
from training.tokens import BOS_ID, EOS_ID, PAD_ID, train_tokenizer

MICRO_BATCH = 4096
# Row length in tokens, and the share of the long documents that is cut to fit it. Short rows
# are cheaper; the long ones are there so that every position up to 512 has been trained.
ROWS = {128: 0.78, 256: 0.16, 512: 0.06}
CHARACTERS_A_TOKEN = 4.0
# Fewer tokens than this at the end of a row are padded rather than given to a cut document.
SHORTEST_TAIL = 16
# Lines. A book counts as many documents, so that a small share still reads many books.
LONGEST = 40

Batches = NDArray[np.uint16]


@click.command(context_settings={"show_default": True})
@click.option(
    "--corpora",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with one NAME.txt.xz or NAME.txt a source of the mix.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--tokens", type=int, default=12_500_000, help="Tokens to prepare, about.")
@click.option("--vocab", type=int, default=8192, help="Size of the vocabulary.")
@click.option("--seed", type=int, default=0, help="Seed of every draw.")
def main(corpora: Path, out: Path, tokens: int, vocab: int, seed: int) -> None:
    """Make tokenizer, micro-batches and held-out texts from the corpora."""
    try:
        manifest = prepare(corpora, out, tokens=tokens, vocab=vocab, seed=seed)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(manifest, indent=2))


def prepare(
    corpora: Path,
    out: Path,
    *,
    tokens: int,
    vocab: int = 8192,
    seed: int = 0,
    mix: tuple[Source, ...] = MIX,
) -> dict[str, object]:
    """Write `batches.npy`, `lengths.npy`, `heldout.json`, `tokenizer.json`, `manifest.json`.

    Parameters
    ----------
    tokens : int
        Tokens to see in all, about; each source is repeated or sampled to its share of them.
    vocab : int
        Size of the vocabulary, special tokens included.
    seed : int
        Of every draw: the same corpora and seed give the same files.
    mix : tuple of Source
        What to read, in which shares.

    Returns
    -------
    dict
        The manifest: what was read, in numbers.
    """
    if vocab < 259 or vocab > 65536:
        raise ValueError(f"vocab={vocab} must be 259 (bytes and special tokens) to 65536")
    budgets = _budgets(mix, tokens)
    train: dict[str, list[Document]] = {}
    heldout: dict[str, list[str]] = {}
    for source in mix:
        documents, kept = held_out(list(read_documents(corpora, source.name)), 0.01)
        if not documents:
            raise ValueError(f"{source.name} has too few documents to train on")
        train[source.name] = _sample(documents, budgets[source.name], f"{seed} {source.name}")
        heldout[source.name] = [" ".join(document) for document in kept]
    tokenizer = train_tokenizer((line for name in train for d in train[name] for line in d), vocab)
    rows, seen = _encode(mix, train, tokenizer, budgets, seed)
    batches, lengths = _batches(rows, random.Random(f"{seed} batches"))
    manifest = _manifest(batches, tokens=tokens, vocab=vocab, seed=seed, seen=seen)
    _write(out, tokenizer, batches, lengths, heldout, manifest)
    return manifest


def _budgets(mix: tuple[Source, ...], tokens: int) -> dict[str, int]:
    total = sum(source.share for source in mix)
    return {source.name: round(tokens * source.share / total) for source in mix}


def _sample(documents: list[Document], budget: int, seed: str) -> list[Document]:
    """Shuffle, and keep no more text than one pass over the budget (tokens) can use."""
    stretches = [d[at : at + LONGEST] for d in documents for at in range(0, len(d), LONGEST)]
    random.Random(seed).shuffle(stretches)
    kept, characters = [], 0.0
    for document in stretches:
        if characters > 1.5 * CHARACTERS_A_TOKEN * budget:
            break
        kept.append(document)
        characters += sum(map(len, document))
    return kept


def _encode(
    mix: tuple[Source, ...],
    train: dict[str, list[Document]],
    tokenizer: Tokenizer,
    budgets: dict[str, int],
    seed: int,
) -> tuple[dict[int, list[list[int]]], dict[str, dict[str, float]]]:
    """Token ids of every piece, by row length, and what each source gave."""
    by_length: dict[int, list[list[int]]] = {length: [] for length in ROWS}
    seen: dict[str, dict[str, float]] = {}
    for source in mix:
        rng = random.Random(f"{seed} {source.name} pieces")
        budget = budgets[source.name]
        count = 0
        for epochs, length, ids in _encode_source(source, train[source.name], tokenizer, rng):
            if count >= budget:
                seen[source.name] = {"tokens": count, "epochs": round(epochs, 2)}
                break
            by_length[length].append(ids)
            count += len(ids)
    return by_length, seen


def _encode_source(
    source: Source, documents: list[Document], tokenizer: Tokenizer, rng: random.Random
) -> Iterator[tuple[float, int, list[int]]]:
    """Without end: (epochs so far, row length, token ids no longer than it)."""
    for epoch in count_from(0):
        texts = list(_epoch(source, documents, rng))
        encoded = tokenizer.encode_batch_fast([text for _, text, _ in texts])
        for index, ((length, _, ended), encoding) in enumerate(zip(texts, encoded, strict=True)):
            ids = encoding.ids + [EOS_ID] * ended
            yield epoch + index / len(texts), length, ids[:length]


def _epoch(
    source: Source, documents: list[Document], rng: random.Random
) -> Iterator[tuple[int, str, bool]]:
    """One pass over a source in a new order: (row length, text, whether EOS follows)."""
    for document in rng.sample(documents, len(documents)):
        lines = tuple(rng.sample(document, len(document))) if source.shuffle else document
        (length,) = rng.choices(tuple(ROWS), tuple(ROWS.values()))
        if sum(map(len, lines)) < CHARACTERS_A_TOKEN * min(ROWS):
            length = min(ROWS)
        # 0.85: most pieces shall end inside their row.
        for text, ended in pieces(lines, round(0.85 * CHARACTERS_A_TOKEN * length), rng):
            yield length, text, ended


def _batches(
    by_length: dict[int, list[list[int]]], rng: random.Random
) -> tuple[Batches, NDArray[np.int64]]:
    """Pack the pieces into rows, the rows into micro-batches of one row length, and shuffle."""
    batches: list[Batches] = []
    lengths: list[int] = []
    for length, documents in by_length.items():
        rng.shuffle(documents)
        rows = np.array(list(pack(documents, length)), dtype=np.uint16).reshape(-1, length)
        count = len(rows) * length // MICRO_BATCH
        batches += list(rows[: count * MICRO_BATCH // length].reshape(count, MICRO_BATCH))
        lengths += [length] * count
    if not batches:
        raise ValueError(f"too little text for one micro-batch of {MICRO_BATCH} tokens")
    order = rng.sample(range(len(batches)), len(batches))
    return np.stack([batches[i] for i in order]), np.array([lengths[i] for i in order])


def pack(documents: list[list[int]], length: int) -> Iterator[list[int]]:
    """Fill rows of `length` token ids with documents, one after the other.

    The document that does not fit is cut, its tail dropped: a cut puts no loss on an ending,
    and a row without padding costs nothing in vain.
    """
    row: list[int] = []
    for ids in documents:
        row += ids[: length - len(row)]
        if length - len(row) < SHORTEST_TAIL:
            yield row + [PAD_ID] * (length - len(row))
            row = []


def _manifest(
    batches: Batches, *, tokens: int, vocab: int, seed: int, seen: dict[str, dict[str, float]]
) -> dict[str, object]:
    return {
        "arguments": {"tokens": tokens, "vocab": vocab, "seed": seed},
        "micro_batches": len(batches),
        "tokens": int((batches != PAD_ID).sum()),
        "documents": int((batches == BOS_ID).sum()),
        "sha256": hashlib.sha256(batches.tobytes()).hexdigest(),
        "sources": seen,
    }


def _write(
    out: Path,
    tokenizer: Tokenizer,
    batches: Batches,
    lengths: NDArray[np.int64],
    heldout: dict[str, list[str]],
    manifest: dict[str, object],
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    np.save(out / "batches.npy", batches)
    np.save(out / "lengths.npy", lengths)
    text = json.dumps(heldout, ensure_ascii=False, indent=0)
    (out / "heldout.json").write_text(text, encoding="utf-8")
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
