"""What is no request of HTTP, and reaches no application: how it is skipped or answered."""

from dataclasses import replace

import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES

from service.http.problems import Problem, problem_of, problem_response

# Of a request's line and headers together.
HEAD_BYTES = 64 * 1024
# Of what more than 63 bits count, a mistake, some bytes may have come.
MAX_CHUNK = 2**62
BAD_CHUNKS = (
    "the chunks of the body are damaged: send each as its length in hexadecimal digits, CR LF, so "
    "many bytes and CR LF, and at the end one of length 0"
)
NO_HTTP = "this is no request of HTTP/1.1: send a request line, headers, and an empty line"
NO_HOST = (
    "a request of HTTP/1.1 has one header Host, and this has none or several: send one, with the "
    "name and the port of the service as you call it"
)
LONG_HEAD = (
    f"the request's line and headers have more than the {HEAD_BYTES} bytes allowed here; put what "
    "is long into the body"
)


def skip_empty_lines(connection: h11.Connection) -> None:
    """Drop those before a request, as HTTP has it: some clients end a body with one."""
    if connection.their_state is not h11.IDLE:
        return
    # h11 has no other way to, and refuses them.
    buffer = connection._receive_buffer
    if buffer.is_next_line_obviously_invalid_request_line():
        received = bytes(buffer)
        buffer.maybe_extract_at_most(len(received) - len(received.lstrip(b"\r\n")))


def is_endless(connection: h11.Connection) -> bool:
    """Return whether a chunk is announced of so many bytes that no body ends with it."""
    # h11 has no other way to: it takes any size of 20 digits, and waits for all of its bytes.
    return int(getattr(connection._reader, "_bytes_in_chunk", 0)) >= MAX_CHUNK


def unreadable(error: BaseException | None, *, in_body: bool) -> Problem:
    """Return what to answer where h11 has found this error, in a request's body or before it."""
    if in_body:
        return _invalid(BAD_CHUNKS)
    if getattr(error, "error_status_hint", 400) == 431:
        return problem_of(HTTPException(431, LONG_HEAD))
    # h11 has no other mark of it than its words.
    return _invalid(NO_HOST if "Host: header" in str(error) else NO_HTTP)


def answer_of(connection: h11.Connection, problem: Problem, request_id: str) -> bytes:
    """Return the bytes of an answer that no application gives, and after which nothing is read."""
    response = problem_response(problem, request_id)
    own = ((b"x-request-id", request_id.encode()), (b"connection", b"close"))
    headers = [*response.raw_headers, *own]
    reason = STATUS_PHRASES[problem.status]
    events = (
        h11.Response(status_code=problem.status, headers=headers, reason=reason),
        h11.Data(data=bytes(response.body)),
        h11.EndOfMessage(),
    )
    return b"".join(connection.send(event) or b"" for event in events)


def _invalid(message: str) -> Problem:
    return replace(problem_of(HTTPException(400, message)), code="invalid_http")
