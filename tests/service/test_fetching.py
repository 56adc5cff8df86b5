"""Images are fetched from allowed hosts alone, by the address that was checked, within limits."""

import base64
import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient

from service.http import addresses, fetching
from service.http.addresses import is_public
from service.http.body import UNCOUNTED_BYTES
from service.http.fetching import FETCHES, FETCHES_OF_HOST
from service.http.images import FETCHES_OF_REQUEST
from service.origins import Origin
from service.settings import Settings
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from tests.service.conftest import Opener
from tests.service.servers import eventually, running
from tests.similarity.images.made import as_file, picture
from tests.tiny_vision_models import save_tiny_vision_model

pytestmark = pytest.mark.longer

DOG = "A dog runs."
PNG = as_file(picture(40, 30))
# More than what is not counted of each request.
LARGE = as_file(picture(200, 150))
HELD, LET_GO = threading.Semaphore(0), threading.Event()
PUBLIC, OTHER_PUBLIC = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
HOSTS = "images.test,http://plain.test,ports.test:8443"


class Site(BaseHTTPRequestHandler):
    """A site with images, and with what is wrong."""

    def do_GET(self) -> None:
        page = getattr(self, f"get_{self.path.strip('/').partition('.')[0]}", None)
        if page is None:
            self.answer(404, b"none here")
        else:
            page()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def get_photo(self) -> None:
        self.answer(200, PNG, content_type="text/plain")

    def get_page(self) -> None:
        self.answer(200, b"<html>no image</html>", content_type="image/png")

    def get_packed(self) -> None:
        self.answer(200, gzip.compress(PNG), content_encoding="gzip")

    def get_near(self) -> None:
        self.answer(302, location="/photo.png")

    def get_far(self) -> None:
        self.answer(302, location="https://elsewhere.test/photo.png")

    def get_inside(self) -> None:
        self.answer(302, location="http://169.254.169.254/latest")

    def get_round(self) -> None:
        self.answer(302, location="/round")

    def get_large(self) -> None:
        self.answer(200, LARGE)

    def get_held(self) -> None:
        """Give all but the end, and that when it is let go."""
        self.send_response(200)
        self.send_header("content-length", str(len(LARGE)))
        self.end_headers()
        self.wfile.write(LARGE[:-1])
        self.wfile.flush()
        HELD.release()
        LET_GO.wait()
        self.wfile.write(LARGE[-1:])

    def get_slow(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000000")
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b"\x89")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    def get_endless(self) -> None:
        """Say nothing of a length, and give more than anybody wants."""
        self.send_response(200)
        self.end_headers()
        for _ in range(2_000):
            try:
                self.wfile.write(b"\x89PNG\r\n\x1a\n" * 8_192)
            except OSError:
                return

    def log_message(self, *_: Any) -> None:
        pass


class Wired(httpx.AsyncBaseTransport):
    """A network in which every address is that of one local site; keeps what was connected to."""

    def __init__(self, port: int, certificates: ssl.SSLContext | None = None) -> None:
        self.connected: list[tuple[str, str]] = []
        self._port = port
        self._scheme = "https" if certificates else "http"
        self._inner = httpx.AsyncHTTPTransport(verify=certificates or True, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.connected.append((request.url.host, request.headers["host"]))
        request.url = request.url.copy_with(scheme=self._scheme, host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Stay open: the next file is fetched by it too."""


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    folder = tmp_path_factory.mktemp("fetching") / "llava"
    return load_model(str(save_tiny_vision_model("llava", folder)))


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def network(site: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Wired:
    wired = Wired(site.server_port)
    monkeypatch.setattr(fetching, "network", lambda: wired)
    resolve_to(monkeypatch, PUBLIC)
    return wired


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str | list[str]) -> list[str]:
    """Have names resolve to an answer after the other, the last for good; return what was asked."""
    asked: list[str] = []

    async def addresses_of(host: str, _port: int) -> list[str]:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [answer] if isinstance(answer, str) else answer

    monkeypatch.setattr(addresses, "addresses_of", addresses_of)
    return asked


@pytest.fixture
def client(open_client: Opener, seeing: LanguageModel) -> TestClient:
    return open_client(seeing, image_hosts=HOSTS, image_seconds=1.5)


def compared(client: TestClient, url: str) -> httpx.Response:
    body = {"pairs": [[DOG, DOG], [DOG, {"image": url}]], "n_trajectories": 2, "max_tokens": 3}
    return client.post("/v1/similarity", json=body)


def refused(client: TestClient, url: str) -> tuple[int, str, str]:
    response = compared(client, url)
    error = response.json()["error"]
    assert error["param"] == "pairs[1][1].image"
    assert len(error["message"]) < 300
    return response.status_code, error["code"], error["message"]


def test_an_image_is_fetched_and_is_what_its_content_is(client: TestClient, network: Wired) -> None:
    response = compared(client, "https://images.test/photo.png")
    assert response.status_code == 200, response.text
    given = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert response.json()["results"] == compared(client, given).json()["results"]
    # The address that was checked is connected to, and asked for the name.
    assert network.connected == [(PUBLIC, "images.test")]


@pytest.mark.parametrize(
    "url",
    [
        "https://IMAGES.test/photo.png",
        "https://images.test:443/photo.png",
        "https://images.test./photo.png",
        "http://plain.test/photo.png",
        "https://ports.test:8443/photo.png",
        "https://images.test/near",
    ],
)
def test_what_is_allowed(client: TestClient, network: Wired, url: str) -> None:
    assert compared(client, url).status_code == 200
    assert {address for address, _ in network.connected} == {PUBLIC}


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.test/photo.png",
        "https://images.test.elsewhere.test/photo.png",
        "https://notimages.test/photo.png",
        "http://images.test/photo.png",
        "https://plain.test/photo.png",
        "https://images.test:8443/photo.png",
        "https://ports.test/photo.png",
        "https://user:password@images.test/photo.png",
        "https://images.test@elsewhere.test/photo.png",
        "https://127.0.0.1/photo.png",
        "https://[::1]/photo.png",
        "https://2130706433/photo.png",
        "https://images.test\\@elsewhere.test/photo.png",
        "https:///photo.png",
        "https://images.test:99999/photo.png",
    ],
)
def test_other_hosts_are_refused(client: TestClient, network: Wired, url: str) -> None:
    status, code, _ = refused(client, url)
    assert (status, code) == (403, "image_host_not_allowed")
    assert network.connected == []


@pytest.mark.parametrize("path", ["far", "inside"])
def test_redirects_to_other_places_are_not_followed(
    client: TestClient, network: Wired, path: str
) -> None:
    status, code, message = refused(client, f"https://images.test/{path}")
    assert (status, code) == (403, "image_host_not_allowed")
    assert "redirects to another place" in message
    assert len(network.connected) == 1


@pytest.mark.parametrize(
    ("path", "status", "code", "said"),
    [
        ("page", 422, "invalid_image", "is none of PNG, JPEG"),
        ("endless", 422, "invalid_image", "more than 4194304 bytes"),
        ("gone.png", 502, "image_source_failed", "answered HTTP 404"),
        ("packed", 502, "image_source_failed", "compressed"),
        ("round", 502, "image_source_failed", "redirects more than 3 times"),
        ("slow", 504, "image_source_timeout", "within 1.5 s"),
    ],
)
def test_what_gives_no_image(
    client: TestClient, network: Wired, path: str, status: int, code: str, said: str
) -> None:
    found = refused(client, f"https://images.test/{path}")
    assert found[:2] == (status, code)
    assert said in found[2]
    assert network.connected


SPECIAL = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1",
    "ff0e::1", "2001:db8::1", "100::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "images.test", "",
]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", PUBLIC, OTHER_PUBLIC, "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"])
@pytest.mark.parametrize("with_public", [False, True])
def test_a_name_of_a_special_address_is_refused(
    client: TestClient,
    network: Wired,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    with_public: bool,
) -> None:
    resolve_to(monkeypatch, [PUBLIC, address] if with_public else [address])
    status, code, message = refused(client, "https://images.test/photo.png")
    assert (status, code) == (403, "image_host_not_allowed")
    assert "not of the internet" in message
    assert address not in message
    assert network.connected == []


def test_a_name_that_changes_leads_nowhere_else(
    client: TestClient, network: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve_to(monkeypatch, PUBLIC, "127.0.0.1")
    assert compared(client, "https://images.test/photo.png").status_code == 200
    # Looked up once, and that address connected to.
    assert asked == ["images.test"]
    assert network.connected == [(PUBLIC, "images.test")]
    assert refused(client, "https://images.test/photo.png?again")[0] == 403
    # A redirect within the host is looked up and checked anew.
    resolve_to(monkeypatch, PUBLIC, "127.0.0.1")
    assert refused(client, "https://images.test/near")[0] == 403


def test_a_host_without_an_address(
    client: TestClient, network: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    monkeypatch.setattr(addresses, "addresses_of", unknown)
    found = refused(client, "https://images.test/photo.png")
    assert found[:2] == (502, "image_source_failed")
    assert "it has no address" in found[2]


def test_the_next_address_is_tried(
    client: TestClient, network: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = network.handle_async_request

    async def first_is_away(request: httpx.Request) -> httpx.Response:
        if request.url.host == OTHER_PUBLIC:
            raise httpx.ConnectError("no route")
        return await plain(request)

    monkeypatch.setattr(network, "handle_async_request", first_is_away)
    resolve_to(monkeypatch, [OTHER_PUBLIC, PUBLIC])
    assert compared(client, "https://images.test/photo.png").status_code == 200
    resolve_to(monkeypatch, [OTHER_PUBLIC])
    assert refused(client, "https://images.test/photo.png?2")[:2] == (502, "image_source_failed")


def test_all_images_of_a_request_have_a_limit(
    open_client: Opener, seeing: LanguageModel, network: Wired
) -> None:
    client = open_client(seeing, image_hosts=HOSTS, max_fetched_bytes=3 * len(PNG))
    rows = [{"image": f"https://images.test/photo.png?{i}"} for i in range(4)]
    body = {"rows": rows, "n_trajectories": 2, "max_tokens": 3}
    response = client.post("/v1/similarity", json=body)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert client.post("/v1/similarity", json={**body, "rows": rows[:3]}).status_code == 200


URLS = [{"image": f"https://images.test/photo.png?{number}"} for number in range(9)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/similarity", {"pairs": [[DOG, url] for url in URLS]}),
        ("/v1/similarity", {"source": DOG, "targets": URLS}),
        ("/v1/similarity", {"rows": URLS[:4], "columns": URLS[4:]}),
        ("/v1/similarity", {"rows": URLS, "preset": "paper", "explain": True}),
        ("/v1/embeddings", {"input": URLS}),
    ],
)
def test_what_is_too_much_is_refused_before_anything_is_fetched(
    open_client: Opener, seeing: LanguageModel, network: Wired, path: str, body: Any
) -> None:
    client = open_client(seeing, preset="meaning", image_hosts=HOSTS, max_texts=8, max_inputs=8)
    answer = client.post(path, json=body)
    assert answer.status_code == 413, answer.text
    assert " different texts; at most 8 are allowed" in answer.json()["error"]["message"]
    assert network.connected == []


def test_an_answer_that_is_too_large_is_refused_before_anything_is_fetched(
    open_client: Opener, seeing: LanguageModel, network: Wired
) -> None:
    client = open_client(seeing, preset="meaning", image_hosts=HOSTS, max_answer_bytes=400)
    for path, body in (
        ("/v1/similarity", {"pairs": [[DOG, url] for url in URLS]}),
        ("/v1/embeddings", {"input": URLS}),
    ):
        assert "bytes of answer" in client.post(path, json=body).json()["error"]["message"]
    assert network.connected == []


def test_an_image_of_rows_and_columns_is_fetched_once(client: TestClient, network: Wired) -> None:
    body = {"rows": [URLS[0], DOG], "columns": [URLS[0]], "n_trajectories": 2, "max_tokens": 3}
    answer = client.post("/v1/similarity", json=body)
    assert answer.json()["distances"][0] == [0]
    assert len(network.connected) == 1


@pytest.mark.usefixtures("network")
def test_images_are_fetched_within_the_deadline(open_client: Opener, seeing: LanguageModel) -> None:
    client = open_client(seeing, image_hosts=HOSTS, deadline_seconds=0.5)
    answer = compared(client, "https://images.test/slow")
    assert answer.status_code == 504
    error = answer.json()["error"]
    assert error["code"] == "deadline_exceeded"
    assert error["message"].startswith("the images were not there within the time limit of 0.5 s")
    assert error["message"].endswith("can raise TRAJSIM_DEADLINE_SECONDS")


def test_slow_images_of_one_request_hold_up_no_other_and_end_with_their_client(
    seeing: LanguageModel, network: Wired
) -> None:
    slow = [{"image": f"https://images.test/slow.png?{number}"} for number in range(60)]
    with (
        running(seeing, image_hosts=HOSTS, image_seconds=60, preset="paper") as url,
        httpx.Client(base_url=url, timeout=60) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        few = {"n_trajectories": 2, "max_tokens": 3}

        def leave() -> str:
            try:
                http.post("/v1/similarity", json={"source": DOG, "targets": slow, **few}, timeout=4)
            except httpx.ReadTimeout:
                return "left"
            return "answered"

        left = pool.submit(leave)
        assert eventually(lambda: len(network.connected) >= FETCHES_OF_REQUEST)
        quick = http.post("/v1/similarity", json={"source": DOG, "targets": URLS[:2], **few})
        assert quick.status_code == 200, quick.text
        assert not left.done()
        assert left.result() == "left"
        closed = 'status="499"'
        assert eventually(lambda: closed in http.get("/metrics").text)
        assert len(network.connected) <= 2 * FETCHES_OF_REQUEST + 2


def test_a_host_that_does_not_answer_leaves_places_to_others(
    seeing: LanguageModel, network: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took all places, and images of other hosts were said to be late."""
    hanging: list[str] = []
    plain = network.handle_async_request

    async def some_hang(request: httpx.Request) -> httpx.Response:
        if request.headers["host"] == "images.test":
            hanging.append(request.url.path)
            await anyio.sleep_forever()
        return await plain(request)

    monkeypatch.setattr(network, "handle_async_request", some_hang)
    clients = FETCHES // FETCHES_OF_REQUEST + 1
    few = {"n_trajectories": 2, "max_tokens": 3, "preset": "paper"}

    def ask(url: str) -> int:
        images = [{"image": f"{url}/photo.png?{number}"} for number in range(FETCHES_OF_REQUEST)]
        body = {"source": DOG, "targets": images, **few}
        return httpx.post(f"{served}/v1/similarity", json=body, timeout=60).status_code

    with (
        running(seeing, image_hosts=HOSTS, image_seconds=4) as served,
        ThreadPoolExecutor(clients) as pool,
    ):
        asked = [pool.submit(ask, "https://images.test") for _ in range(clients)]
        assert eventually(lambda: len(hanging) == FETCHES_OF_HOST)
        assert ask("http://plain.test") == 200
        assert len(hanging) == FETCHES_OF_HOST
        assert {one.result() for one in asked} == {504}


def test_names_that_are_not_looked_up_in_time_hold_up_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They held the few threads of the loop, and others were late without a question."""
    ended = threading.Event()

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        if host != "quick.test":
            ended.wait()
        return [(0, 0, 0, "", (PUBLIC, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def look_up() -> list[str]:
        async with anyio.create_task_group() as group:
            for _ in range(FETCHES):
                group.start_soon(addresses.addresses_of, "slow.test", 443)
            await anyio.sleep(0.05)
            try:
                with anyio.fail_after(10):
                    return await addresses.addresses_of("quick.test", 443)
            finally:
                ended.set()

    assert anyio.run(look_up) == [PUBLIC]


def test_images_that_are_fetched_have_a_bound_over_all_requests(
    seeing: LanguageModel, network: Wired
) -> None:
    """Each request had one of its own, so memory grew with their number."""
    assert len(LARGE) > UNCOUNTED_BYTES
    LET_GO.clear()
    opened = running(
        seeing, image_hosts=HOSTS, image_seconds=60, preset="paper", max_bodies_bytes=len(LARGE) + 9
    )
    with opened as url, ThreadPoolExecutor(1) as pool:

        def ask(path: str) -> httpx.Response:
            pair = [DOG, {"image": f"https://images.test/{path}"}]
            body = {"pairs": [pair], "n_trajectories": 2, "max_tokens": 3}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=60)

        first = pool.submit(ask, "held")
        assert HELD.acquire(timeout=20)
        refused = ask("large")
        # As for a body that has no room.
        assert refused.status_code == 429, refused.text
        assert refused.json()["error"]["code"] == "queue_full"
        assert "TRAJSIM_MAX_BODIES_BYTES" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) >= 1
        # Small ones, and what fetches nothing, are let in.
        assert ask("photo.png").status_code == 200
        LET_GO.set()
        assert first.result().status_code == 200
        # Its room is free again, and what was refused has left no trace.
        assert [ask(f"large.png?{number}").status_code for number in range(3)] == [200, 200, 200]


def test_one_request_alone_may_fetch_more_than_all_together(
    seeing: LanguageModel, network: Wired
) -> None:
    opened = running(seeing, image_hosts=HOSTS, preset="paper", max_bodies_bytes=1)
    images = [{"image": f"https://images.test/large.png?{number}"} for number in range(2)]
    body = {"source": DOG, "targets": images, "n_trajectories": 2, "max_tokens": 3}
    with opened as url:
        assert httpx.post(f"{url}/v1/similarity", json=body).status_code == 200


def test_off_is_off(open_client: Opener, seeing: LanguageModel, network: Wired) -> None:
    status, code, message = refused(open_client(seeing), "https://images.test/photo.png")
    assert (status, code) == (422, "invalid_image")
    assert "given as data:image/png;base64" in message
    text_model = open_client(image_hosts=HOSTS)
    assert refused(text_model, "https://images.test/photo.png")[1] == "invalid_image"
    assert network.connected == []


def test_names_of_hosts_are_checked_at_the_start() -> None:
    assert Settings(image_hosts="").image_hosts == ""
    for wrong in (
        "*.example.org",
        "https://example.org/images",
        "ftp://example.org",
        "a b",
        "http://",
    ):
        with pytest.raises(ValueError, match="not the name of a host"):
            Settings(image_hosts=wrong)
    assert str(Origin.parse("Bücher.example")) == "https://xn--bcher-kva.example"
    # The fetcher reads names by a newer standard than Python's, to which this is not "strasse".
    for name in ("stra\u00dfe.example", "B\u00fccher.example", "A.example.", "a_b.example"):
        assert Origin.parse(name) == Origin.of(httpx.URL(f"https://{name}/x.png"))
    assert str(Origin.parse("http://a.example:80")) == "http://a.example"
    assert str(Origin.parse("a.example:8443")) == "https://a.example:8443"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize(("name", "status"), [("images.test", 200), ("other.test", 502)])
def test_a_certificate_is_checked_for_the_name(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, status: int
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = [
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        "-addext",
        f"subjectAltName=DNS:{name}",
    ]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    trusted = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(fetching, "network", lambda: Wired(server.server_port, trusted))
    resolve_to(monkeypatch, PUBLIC)
    try:
        assert compared(client, "https://images.test/photo.png").status_code == status
    finally:
        server.shutdown()
        server.server_close()
