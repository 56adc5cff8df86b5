"""A prefix with images is its ids and its images; a text's is what it always was."""

import pickle

import numpy as np
import pytest

from similarity.images.sources import read_image
from similarity.models import prefix
from similarity.models.prefix import ImageTokens, KnownPrefixes, prefix_bytes
from tests.similarity.images.made import as_file, picture

FIRST = read_image(as_file(picture()), "first.png")
SECOND = read_image(as_file(picture(seed=1)), "second.png")


def test_prefixes_with_other_images_differ() -> None:
    one = ImageTokens((1, 7, 7, 2), ("a", FIRST))
    same = ImageTokens((1, 7, 7, 2), ("a", read_image(as_file(picture(), "BMP"), "copy.bmp")))
    other = ImageTokens((1, 7, 7, 2), ("a", SECOND))
    assert one == same
    assert len({one, same, other, (1, 7, 7, 2)}) == 3
    assert one != (1, 7, 7, 2)
    assert one != (1, 7, 7, 2)
    assert one.images == [FIRST]
    assert len({prefix_bytes(one), prefix_bytes(other), prefix_bytes((1, 7, 7, 2))}) == 3


def test_they_travel_between_processes() -> None:
    one = ImageTokens((1, 7), (FIRST, "b"))
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert again.parts[0].name == "first.png"


def test_the_key_of_a_text_is_its_ids() -> None:
    assert prefix_bytes((1, 2)) == np.array([1, 2], np.int64).tobytes()


def test_what_is_known_of_those_used_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix, "_KEPT", 2)
    known: KnownPrefixes[int] = KnownPrefixes()
    assert known.get(FIRST, "a", "") is None
    known.put(FIRST, "a", "", 1)
    known.put(FIRST, "", "a", 2)
    assert known.get(FIRST, "a", "") == 1
    known.put(SECOND, "a", "", 3)
    found = known.get(FIRST, "a", ""), known.get(FIRST, "", "a"), known.get(SECOND, "a", "")
    assert found == (1, None, 3)
