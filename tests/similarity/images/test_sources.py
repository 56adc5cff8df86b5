"""Images come from files and data URLs; all else is text."""

import base64
import os
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.images.decoding import ImageLimits
from similarity.images.image import Image, name_of, order_of
from similarity.images.sources import (
    image_file,
    image_file_digest,
    image_of_data_url,
    image_or_text,
)
from tests.similarity.images.made import as_file, picture


def test_an_image_in_the_place_of_its_path_is_named_shortly(path: Path) -> None:
    for given, needle in (
        (data_url(path.read_bytes()), "it is a data URL; write the image to a file"),
        (base64.b64encode(path.read_bytes()).decode(), "cannot be read"),
    ):
        with pytest.raises(InputError, match=needle) as raised:
            image_file(given)
        assert len(str(raised.value)) < 400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(as_file(picture()))
    return path


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def test_a_path_that_is_an_image_is_one(path: Path, tmp_path: Path) -> None:
    image = image_or_text(str(path))
    assert isinstance(image, Image)
    assert name_of(image) == str(path)
    notes = tmp_path / "notes.txt"
    notes.write_text("A dog runs.")
    for text in ("A dog runs.", str(notes), str(tmp_path), "no\0path", "x" * 5_000, ""):
        assert image_or_text(text) == text


def test_a_name_of_an_image_that_is_none_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'photo.jpg' cannot be read: No such file"):
        image_or_text("photo.jpg", by_name=True)
    assert image_or_text("photo.jpg") == "photo.jpg"
    path = tmp_path / "notes.png"
    path.write_text("A dog runs.")
    with pytest.raises(InputError, match="is none of PNG"):
        image_or_text(str(path), by_name=True)
    with pytest.raises(InputError, match="is none of PNG"):
        image_or_text(str(path))
    assert image_or_text("I sent you photo.jpg", by_name=True) == "I sent you photo.jpg"


def test_a_file_that_is_not_there_or_too_large_is_said_so(path: Path) -> None:
    with pytest.raises(InputError, match="'no.png' cannot be read: No such file"):
        image_file("no.png")
    with pytest.raises(InputError, match="more than 20 bytes"):
        image_file(path, ImageLimits(max_bytes=20))


def test_data_urls_are_read_by_content(path: Path) -> None:
    data = path.read_bytes()
    for kind in ("png", "jpeg", "webp"):
        assert image_of_data_url(data_url(data, kind), "image") == image_file(path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://host/a.png", "given as data:image/png;base64"),
        ("data:text/plain;base64,QQ==", "given as data:image/png;base64"),
        ("data:image/png,QQ==", "given as data:image/png;base64"),
        ("data:image/png;base64", "given as data:image/png;base64"),
        ("data:image/png;base64,%%%", "is not base64"),
        ("data:image/png;base64,QQ==", "is none of PNG"),
        ("data:image/png;base64," + "A" * 2_000, "more than 1000 bytes"),
    ],
)
def test_other_urls_are_refused(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        image_of_data_url(url, "pairs[0][1]", ImageLimits(max_bytes=1_000))


def test_texts_and_images_have_one_order(path: Path) -> None:
    image = image_file(path)
    assert sorted([image, "bb", "a"], key=order_of) == ["a", "bb", image]


def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "photo.png"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(InputError, match=f"'{path}' cannot be read: it is a pipe, a socket or"):
            image_file(path)
        assert image_file_digest(path) == ""
    with pytest.raises(InputError, match="cannot be read: it is a pipe"):
        image_or_text(str(pipe), by_name=True)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        image_file(tmp_path)


def test_of_a_text_that_names_a_pipe_nothing_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # So that to open it does not wait here.
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    os.write(held, b"\x89PNG\r\n\x1a\n0000")
    try:
        assert image_or_text(str(pipe)) == str(pipe)
        assert len(os.read(held, 99)) == 12
    finally:
        os.close(held)
