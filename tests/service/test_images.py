"""Over HTTP an image stands where a text may, as a data URL."""

import base64
import math
import os
import re
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL.Image import new

import service.client
from service.http import images
from similarity.images.decoding import ImageLimits
from similarity.images.image import Image
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.models.prefix import ImageTokens
from tests.service.conftest import Opener
from tests.service.servers import running
from tests.similarity.images.made import as_file, picture
from tests.similarity.images.test_decoding import png_with_header
from tests.tiny_vision_models import save_tiny_vision_model

DOG = "A dog runs."
SHORT = {"n_trajectories": 3, "max_tokens": 4}


def image(data: bytes, kind: str = "png") -> dict[str, str]:
    return {"image": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"}


PHOTO = image(as_file(picture(40, 30)))
COPY = image(as_file(picture(40, 30), "BMP"), "bmp")
OTHER = image(as_file(picture(30, 40, seed=1)))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    folder = tmp_path_factory.mktemp("http") / "llava"
    return load_model(str(save_tiny_vision_model("llava", folder)))


@pytest.fixture
def client(open_client: Opener, seeing: LanguageModel) -> TestClient:
    return open_client(seeing)


def scored(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/similarity", json={**SHORT, **body})
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


def refused(client: TestClient, body: dict[str, Any], path: str = "/v1/similarity") -> Any:
    response = client.post(path, json=body)
    assert response.status_code in (413, 422), response.text
    error = response.json()["error"]
    assert len(error["message"]) < 400
    assert "base64,iVBOR" not in error["message"]
    return response.status_code, error


def test_pairs_of_images_and_texts(client: TestClient) -> None:
    content = scored(client, pairs=[[PHOTO, COPY], [PHOTO, DOG], [DOG, PHOTO], [DOG, DOG]])
    same, beside, turned, text = (one["distance"] for one in content["results"])
    assert same == text == 0
    assert beside == pytest.approx(turned, abs=1e-6)
    assert beside > 0
    (one,) = scored(client, source=PHOTO, targets=[DOG])["results"]
    assert one["distance"] == pytest.approx(beside, abs=1e-6)


def test_a_matrix_and_explanations(client: TestClient) -> None:
    plain = scored(client, rows=[PHOTO, DOG], columns=[OTHER, COPY, DOG])
    explained = scored(client, rows=[PHOTO, DOG], columns=[OTHER, COPY, DOG], explain=True)
    assert plain["distances"][0][1] == 0
    assert plain["distances"][1][2] == 0
    for found, expected in zip(explained["distances"], plain["distances"], strict=True):
        assert found == pytest.approx(expected, abs=1e-6)
    assert len(explained["explanations"][0]) == 3


def test_embeddings_of_images_and_texts(open_client: Opener, seeing: LanguageModel) -> None:
    client = open_client(seeing, preset="meaning")
    answer = client.post("/v1/embeddings", json={"input": [PHOTO, DOG, COPY, OTHER]})
    assert answer.status_code == 200, answer.text
    photo, dog, copy, other = (one["embedding"] for one in answer.json()["data"])
    assert photo == copy
    assert math.dist(photo, other) > 1e-3
    assert math.dist(photo, dog) > 1e-3
    alone = client.post("/v1/embeddings", json={"input": OTHER}).json()["data"][0]["embedding"]
    assert alone == pytest.approx(other, abs=1e-5)
    pair = client.post("/v1/similarity", json={"pairs": [[PHOTO, DOG]]}).json()["results"][0]
    assert pair["distance"] == pytest.approx(math.dist(photo, dog) ** 2 / 2, abs=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": "https://example.org/a.png"}, "given as data:image/png;base64"),
        ({"image": "http://169.254.169.254/latest"}, "given as data:image/png;base64"),
        ({"image": "file:///etc/passwd"}, "given as data:image/png;base64"),
        ({"image": "photo.jpg"}, "given as data:image/png;base64"),
        (image(b"A dog runs."), "is none of PNG, JPEG"),
        (image(as_file(picture(64, 64))[:700]), "truncated or damaged"),
        (image(png_with_header(5_000, 5_000)), "5000 × 5000 pixels; at most 16000000"),
        (image(png_with_header(60_000, 60_000)), "at most 16000000"),
        (image(png_with_header(400_000, 1)), "at most 200 times as long as the other"),
        (
            image(as_file(picture(), "GIF", save_all=True, append_images=[picture(seed=1)]), "gif"),
            "an animation of 2 frames",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(client: TestClient, given: Any, said: str) -> None:
    status, error = refused(client, {"pairs": [[DOG, DOG], [DOG, given]]})
    assert (status, error["code"], error["param"]) == (422, "invalid_image", "pairs[1][1].image")
    assert said in error["message"]
    _, error = refused(client, {"rows": [given]})
    assert error["param"] == "rows[0].image"


@pytest.mark.parametrize("error", [ValueError(), ValueError("no such patch")])
@pytest.mark.parametrize("path", ["/v1/similarity", "/v1/embeddings"])
def test_an_image_that_the_processor_does_not_take_is_refused_with_its_place(
    client: TestClient,
    seeing: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    path: str,
) -> None:
    """Its code was that of a text, it had no place, and its message broke off."""

    def fails(**_: Any) -> None:
        raise error

    monkeypatch.setattr(cast(Any, seeing)._images._processing, "_processor", fails)
    other = image(as_file(picture(33, 31, seed=5)))
    body, place = (
        ({"pairs": [[DOG, DOG], ["#1", other]]}, "pairs[1][1].image")
        if path == "/v1/similarity"
        else ({"input": [DOG, other]}, "input[1].image")
    )
    status, found = refused(client, body, path)
    assert (status, found["code"], found["param"]) == (422, "invalid_image", place)
    assert re.search(
        r"cannot take image '#1' of 33 × 31 pixels \(\w.+\); give another", found["message"]
    )


def test_an_image_that_is_too_long_is_refused_with_its_place(
    open_client: Opener, seeing: LanguageModel
) -> None:
    client = open_client(seeing, max_continuation_tokens=2_000)
    body = {"pairs": [["A", "A"], ["A", PHOTO]], "n_trajectories": 2, "max_tokens": 1021}
    status, error = refused(client, body)
    assert (status, error["code"], error["param"]) == (422, "text_too_long", "pairs[1][1].image")


@pytest.mark.parametrize("given", [{"image": 3}, {"image": ""}, {"url": "x"}, {}, {"image": None}])
def test_what_is_no_image_field_is_refused(client: TestClient, given: Any) -> None:
    _, error = refused(client, {"pairs": [[DOG, given]]})
    assert error["code"] == "invalid_request"
    assert error["param"].startswith("pairs[0][1]")
    _, error = refused(client, {"input": [given]}, "/v1/embeddings")
    assert error["code"] == "invalid_request"


def test_the_client_sends_images(seeing: LanguageModel, tmp_path: Path) -> None:
    data = as_file(picture(40, 30))
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    given = [service.client.image(source) for source in (path, str(path), data)]
    assert given == [PHOTO, PHOTO, PHOTO]
    assert service.client.image("https://a.example/b.png") == {"image": "https://a.example/b.png"}
    assert service.client.image(PHOTO["image"]) == PHOTO
    with pytest.raises(FileNotFoundError):
        service.client.image(tmp_path / "none.png")
    with running(seeing, preset="paper") as url, service.client.Client(url) as client:
        same, beside = client.similarity([(given[0], given[2]), (given[0], DOG)], n_trajectories=3)
        (one,) = client.one_to_many(DOG, [given[1]], n_trajectories=3)
        matrix = client.matrix([given[0]], [DOG, given[1]], n_trajectories=3)
    assert same.distance == 0
    assert one.distance == pytest.approx(beside.distance, abs=1e-6)
    assert matrix.distances[0] == pytest.approx([beside.distance, 0], abs=1e-6)


def test_the_client_reads_no_device_or_pipe_and_no_file_without_end(tmp_path: Path) -> None:
    """A device was read until memory was out, and a pipe waited for ever."""
    pipe, large = tmp_path / "pipe.png", tmp_path / "large.png"
    os.mkfifo(pipe)
    for path in ("/dev/zero", str(pipe), pipe):
        with pytest.raises(ValueError, match=r"cannot be read: it is a pipe, a socket or a devi"):
            service.client.image(path)
    with large.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"large.png' has more than 33554432 bytes"):
        service.client.image(large)
    large.write_bytes(as_file(picture(40, 30)))
    with pytest.raises(ValueError, match="has more than 100 bytes, .* or raise max_bytes"):
        service.client.image(large, max_bytes=100)
    assert service.client.image(large) == PHOTO


def test_the_client_imports_nothing_that_computes() -> None:
    # NumPy is there for its types alone.
    heavy = "{'scipy', 'torch', 'PIL', 'pydantic', 'fastapi'}"
    program = f"import sys, service.client; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.strip() == b"[]"


def test_limits_of_the_service(open_client: Opener, seeing: LanguageModel) -> None:
    client = open_client(seeing, max_request_pixels=2_000, max_image_bytes=20_000)
    status, error = refused(client, {"rows": [PHOTO, OTHER]})
    assert (status, error["code"]) == (413, "request_too_large")
    assert "more than 2000 pixels in its images" in error["message"]
    assert scored(client, pairs=[[PHOTO, PHOTO]])["results"][0]["distance"] == 0
    _, error = refused(client, {"rows": [image(bytes(30_000))]})
    assert "more than 20000 bytes" in error["message"]
    many = open_client(seeing, max_texts=2)
    status, error = refused(many, {"rows": [PHOTO, OTHER, DOG]})
    assert status == 413


@pytest.mark.longer
@pytest.mark.parametrize("leaves", [False, True])
def test_few_images_are_decoded_at_once(
    seeing: LanguageModel, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    """A file of some kilobytes may have all pixels that are allowed: forty took gigabytes."""
    entered, free = threading.Semaphore(0), threading.Event()
    read = images.image_of_data_url

    def held(url: str, name: str, limits: ImageLimits) -> Image:
        entered.release()
        free.wait()
        return read(url, name, limits)

    monkeypatch.setattr(images, "image_of_data_url", held)
    body = {"rows": [PHOTO, OTHER], **SHORT}
    with running(seeing, preset="paper") as url, ThreadPoolExecutor(9) as pool:

        def ask() -> int | None:
            patience = 0.5 if leaves else 60
            try:
                return httpx.post(f"{url}/v1/similarity", json=body, timeout=patience).status_code
            except httpx.ReadTimeout:
                return None

        asked = [pool.submit(ask) for _ in range(9)]
        for _ in range(images.DECODERS):
            assert entered.acquire(timeout=20)
        assert not entered.acquire(timeout=2)
        # Nor where their clients are gone, and others ask.
        if leaves:
            assert [one.result() for one in asked] == [None] * 9
            asked = [pool.submit(ask) for _ in range(9)]
            assert not entered.acquire(timeout=1)
        free.set()
        assert leaves or [one.result() for one in asked] == [200] * 9


@pytest.mark.longer
def test_requests_that_wait_hold_files_and_no_pixels(
    seeing: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many images are under way, few are decoded."""
    entered, free, count, side = threading.Semaphore(0), threading.Event(), 12, 1_200
    encode = type(seeing).encode_image

    def held(model: LanguageModel, *given: Any) -> ImageTokens:
        entered.release()
        free.wait()
        return encode(model, *given)

    monkeypatch.setattr(type(seeing), "encode_image", held)
    photos = [image(as_file(new("RGB", (side, side), (number, 0, 0)))) for number in range(count)]
    with running(seeing, preset="paper") as url, ThreadPoolExecutor(count) as pool:

        def ask(photo: dict[str, str]) -> int:
            body = {"pairs": [[photo, DOG]], **SHORT}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=60).status_code

        tracemalloc.start()
        try:
            asked = [pool.submit(ask, photo) for photo in photos]
            for _ in range(count):
                assert entered.acquire(timeout=30)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            free.set()
        assert [one.result() for one in asked] == [200] * count
    assert kept < count * side * side * 3 / 4


def test_a_model_of_texts_says_so(open_client: Opener) -> None:
    client = open_client()
    _, error = refused(client, {"pairs": [[DOG, PHOTO]]})
    assert error["message"].startswith("pairs[0][1].image: toy reads texts alone")
    _, error = refused(client, {"input": PHOTO}, "/v1/embeddings")
    assert "toy reads texts alone" in error["message"]


def test_answers_about_images_are_cached_by_their_pixels(client: TestClient) -> None:
    scored(client, pairs=[[PHOTO, DOG]])
    again = scored(client, pairs=[[COPY, DOG]])
    assert again["usage"]["cached_tokens"] == (
        again["usage"]["sampled_tokens"] + again["usage"]["scored_tokens"]
    )
    other = scored(client, pairs=[[OTHER, DOG]])
    assert other["usage"]["cached_tokens"] < (
        other["usage"]["sampled_tokens"] + other["usage"]["scored_tokens"]
    )
