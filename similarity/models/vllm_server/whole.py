"""Answers of a server that are read whole, up to so many bytes."""

import httpx

from similarity.answering import compression_of
from similarity.errors import WrongAnswerError
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX


async def read_whole(response: httpx.Response, url: str, most: int) -> httpx.Response:
    """Read an answer to its end.

    Parameters
    ----------
    url
        Of the server.
    most
        Bytes that it may have.

    Raises
    ------
    WrongAnswerError
        If it has more, or is compressed.
    """
    if (kind := compression_of(response)) is not None:
        raise WrongAnswerError(
            f"{url} answered HTTP {response.status_code} compressed by {kind!r}, though it was "
            "asked not to; turn off compression in the gateway before it"
        )
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > most:
            raise WrongAnswerError(
                f"{url} answered more than {most >> 20} MiB; is it a vLLM server? "
                f"If so, lower {ENVIRONMENT_PREFIX}REQUEST_TOKENS"
            )
    headers = httpx.Headers(response.headers)
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=b"".join(parts),
        request=response.request,
    )
