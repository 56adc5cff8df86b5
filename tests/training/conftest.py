"""A tiny corpus of two sources, written here, and a run on it."""

import random
from pathlib import Path

import pytest
import torch

from tests.training.tiny_run import MIX, TINY, sentence
from training.prepare import prepare
from training.train import train


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Models as small as these run faster on one thread than threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def corpora(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    rng = random.Random(1)
    for name, documents, lines in (("scenes", 120, 5), ("notes", 40, 30)):
        texts = ["\n".join(sentence(rng) for _ in range(lines)) for _ in range(documents)]
        (folder / f"{name}.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def data(corpora, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare(corpora, folder, tokens=50_000, vocab=320, seed=3, mix=MIX)
    return folder


@pytest.fixture(scope="session")
def run(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(data, folder, TINY, checkpoint_every=2, compiled=False)
    return folder
