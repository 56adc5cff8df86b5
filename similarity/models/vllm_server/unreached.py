"""What is said of a server that cannot be reached: the true cause, and what to do about it."""

import ssl

import httpx

from similarity.certificates import tls_error, uncertified


def unreached(server: str, url: str, error: httpx.TransportError) -> str:
    """Return why a server gave no answer, and what to do, in one line.

    Parameters
    ----------
    server
        What it is called in the line.
    url
        Its address.
    """
    problem = tls_error(error)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return uncertified(server, problem)
    if problem is not None:
        return (
            f"{server} could not be spoken to by TLS ({problem.reason or first_line(problem)}); "
            "give http:// if it speaks plain HTTP, else see its settings of TLS"
        )
    # So a server of TLS ends a connection on which plain HTTP was sent.
    broke_off = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and url.startswith(
        "http://"
    )
    hint = ", with https:// if it speaks TLS" if broke_off else ""
    said = first_line(error)
    return f"{server} does not answer ({said}); start it, or give another address{hint}"


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
