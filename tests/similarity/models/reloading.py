"""A program that loads a model anew after each error of its server, for tests.

Its argument says what is hard about it:

import
    The garbage collector runs amid an import of httpcore, in the loop of the new model.
often
    It runs all the time.
kept
    The models are there to the end of the process.
localhost
    A thread has looked up the server's name.
"""

import asyncio
import gc
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from typing import Any

import httpx

import similarity
from similarity.errors import BackendError, WrongAnswerError
from tests.similarity.models.fake_pooling_server import FakePoolingServer


class Server(ThreadingHTTPServer):
    """Serves the fake server at a socket; while `bad`, it answers with a page instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fake = FakePoolingServer()
        self.bad = False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = httpx.Request(self.command, f"http://server{self.path}", content=content)
        if self.server.bad and self.path == "/v1/embeddings":
            answer = httpx.Response(200, text="<html>")
        else:
            answer = asyncio.run(self.server.fake.handle(request))
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: Any) -> None:
        pass


class Collecting:
    """Hides sniffio, as where it is not installed; its first import in a loop collects garbage."""

    def __init__(self) -> None:
        self.loops: set[threading.Thread] = set()

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "sniffio":
            return None
        thread = threading.current_thread()
        if thread.name == "trajsim-vllm" and thread not in self.loops:
            self.loops.add(thread)
            gc.collect()
        raise ModuleNotFoundError(name=name)


def use(server: Server, url: str) -> similarity.Scorer:
    """Load the model, and use it while the server is bad."""
    server.bad = False
    model = similarity.load_model(url)
    scorer = similarity.open_scorer(model, "fast")
    server.bad = True
    try:
        scorer.score([("A dog runs.", "A cat sleeps.")])
    except (BackendError, WrongAnswerError):
        return scorer
    raise AssertionError("a page was taken for an answer")


def main(how: str) -> None:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = "localhost" if how == "localhost" else "127.0.0.1"
    kept = []
    if how == "import":
        sys.modules.pop("sniffio", None)
        sys.meta_path.insert(0, Collecting())
        gc.disable()
    if how == "often":
        gc.set_threshold(20)
    for _ in range(4):
        scorer = use(server, f"http://{host}:{server.server_port}")
        cycle = [scorer]
        cycle.append(cycle)  # type: ignore[arg-type]
        if how in ("kept", "localhost"):
            kept.append(scorer)
        del scorer, cycle
    print("done")


if __name__ == "__main__":
    main(sys.argv[1])
