"""Crisscrossed Captions (Parekh et al. 2021): judged pairs of images, and of captions and images.

Its files give names of images and numbers of captions of MS-COCO, which the user has too:

* `sis_<split>.csv`: image1, image2, agg_score, sampling_method;
* `sits_<split>.csv`: caption, image, agg_score, sampling_method, where a caption is as
  COCO_val2014:sentid:732091;
* `dataset_coco.json` of Karpathy's splits, whose sentences have `sentid` and `raw`;
* a folder of the images, such as COCO_val2014_000000365325.jpg.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.pair_files import Columns, check_differ, read_pairs, read_text
from eval.protocol import spearman
from similarity.errors import InputError
from similarity.images.image import Content
from similarity.images.sources import image_file

# Columns of each task: the query, and what is compared with it.
TASKS = {"sis": ("image1", "image2"), "sits": ("caption", "image")}
SPLITS = ("test", "val")
CAPTIONS = "dataset_coco.json"
# Equal ranges of judgements from which the code of the paper takes as many pairs each, and the
# most pairs that it takes in all.
RANGES = {"sis": 5, "sits": 20}
HIGHEST, MOST = 5.0, 1000
# Spearman × 100 by task and method, of the paper (Liu et al. 2023). Its public code measures on
# the pairs of the split val that `evenly_judged` describes.
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "sis": {"trajectories, LLaVA": 81.5, "CLIP ViT-B/16": 67.0},
    "sits": {
        "trajectories, LLaVA": 57.1,
        "trajectories, LLaVA, aligned": 67.6,
        "CLIP ViT-B/16": 64.6,
    },
}


@dataclass(frozen=True)
class JudgedImages:
    """A query, what it is compared with, and how alike people found them, from 0 to 5."""

    query: str
    pair: tuple[Content, Content]
    score: float


def load_cxc(
    task: str, folder: Path, images: Path, split: str = "test", *, even: bool = False
) -> list[JudgedImages]:
    """Return the pairs of a task.

    Parameters
    ----------
    task
        Of `TASKS`: sis for images, sits for captions and images.
    folder
        Has the task's file and, for captions, `dataset_coco.json`.
    images
        Has the images.
    even
        Take pairs as `evenly_judged` does.

    Raises
    ------
    InputError
        If a file is missing or malformed, an image cannot be read, or a caption is not there.
    """
    first, second = TASKS[task]
    path = folder / f"{task}_{split}.csv"
    pairs = read_pairs(path, Columns("agg_score", first, second, "sampling_method"))
    check_differ(str(path), pairs)
    if even:
        pairs = [pairs[i] for i in evenly_judged([pair.score for pair in pairs], RANGES[task])]
    captions = _captions(folder / CAPTIONS) if task == "sits" else {}
    known: dict[str, Content] = {}
    for name in dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)):
        known[name] = _caption(captions, name) if ":" in name else image_file(images / name)
    return [JudgedImages(p.first, (known[p.first], known[p.second]), p.score) for p in pairs]


def evenly_judged(scores: Sequence[float], ranges: int, seed: int = 0) -> list[int]:
    """Return the places of as many pairs from each range of judgements, MOST at most in all.

    The public code of the paper takes pairs so: of each range the first, as many as the smallest
    has, and of these some at random. A judgement of exactly 5 is in no range. Which pairs are
    drawn differs from there, and for captions which are first.

    Raises
    ------
    InputError
        If a range has no pair.
    """
    width = HIGHEST / ranges
    places: list[list[int]] = [[] for _ in range(ranges)]
    for place, score in enumerate(scores):
        if 0 <= score < HIGHEST:
            places[min(int(score / width), ranges - 1)].append(place)
    fewest = min(map(len, places))
    if not fewest:
        raise InputError(f"one of {ranges} ranges of judgements has no pair; give more pairs")
    kept = np.array([place for of_range in places for place in of_range[:fewest]])
    drawn: list[int] = np.random.default_rng(seed).permutation(kept)[:MOST].tolist()
    return sorted(drawn)


def _captions(path: Path) -> dict[str, str]:
    try:
        content = json.loads(read_text(path))
        sentences = [one for image in content["images"] for one in image["sentences"]]
        return {str(one["sentid"]): str(one["raw"]) for one in sentences}
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not Karpathy's dataset_coco.json, whose images have sentences with sentid "
            f"and raw: {error}"
        ) from error


def _caption(captions: Mapping[str, str], name: str) -> str:
    number = name.rpartition(":")[2]
    if number not in captions:
        raise InputError(f"{CAPTIONS} has no sentence {number}, which is {name}")
    return captions[number]


@dataclass(frozen=True)
class Agreement:
    """Spearman's correlation × 100: of all pairs, and balanced over queries with its deviation."""

    everything: float
    balanced: float
    deviation: float


def agreement(
    judged: Sequence[JudgedImages],
    similarities: Sequence[float],
    samples: int = 1000,
) -> Agreement:
    """Return how scores agree with people, as the authors of Crisscrossed Captions measure it.

    Some queries have many pairs and most have few. So each sample takes half of the queries and
    one pair of each. The result is the mean of the correlations, and their standard deviation.

    Raises
    ------
    InputError
        If a correlation is not defined: there are too few pairs, or scores that do not differ.
    """
    scores, given = np.array(similarities), np.array([one.score for one in judged])
    places: dict[str, list[int]] = defaultdict(list)
    for i, one in enumerate(judged):
        places[one.query].append(i)
    queries = list(places.values())
    half = len(queries) // 2
    rng = np.random.default_rng(0)
    found = []
    for _ in range(samples):
        some = [queries[i] for i in rng.permutation(len(queries))[:half]]
        chosen = np.array([of_query[rng.integers(len(of_query))] for of_query in some], np.intp)
        if half > 1 and np.ptp(scores[chosen]) and np.ptp(given[chosen]):
            found.append(spearman(scores[chosen].tolist(), given[chosen].tolist()))
    if not found:
        raise InputError("no sample of half the queries has scores that differ; give more pairs")
    whole = spearman(scores.tolist(), given.tolist())
    return Agreement(whole, float(np.mean(found)), float(np.std(found)))
