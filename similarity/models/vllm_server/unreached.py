"""What is said of a server that cannot be reached: the true cause, and what to do about it."""

import ssl

import httpx

# Of OpenSSL: a certificate that is not valid yet, or no longer, or for another name or address.
NOT_YET, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64


def unreached(server: str, url: str, error: httpx.TransportError) -> str:
    """Return why a server gave no answer, and what to do, in one line.

    Parameters
    ----------
    server
        What it is called in the line.
    url
        Its address.
    """
    problem = _tls_error(error)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return _uncertified(server, problem)
    if problem is not None:
        return (
            f"{server} could not be spoken to by TLS ({problem.reason or first_line(problem)}); "
            "give http:// if it speaks plain HTTP, else see its settings of TLS"
        )
    # So a server of TLS ends a connection on which plain HTTP was sent.
    broke_off = isinstance(error, httpx.RemoteProtocolError) and url.startswith("http://")
    hint = ", with https:// if it speaks TLS" if broke_off else ""
    said = first_line(error)
    return f"{server} does not answer ({said}); start it, or give another address{hint}"


def _uncertified(server: str, problem: ssl.SSLCertVerificationError) -> str:
    said = problem.verify_message.rstrip(".")
    match problem.verify_code:
        case code if code in (NOT_YET, EXPIRED):
            remedy = "renew it at the server, and see that the clock is right here"
        case code if code in (OTHER_NAME, OTHER_ADDRESS):
            remedy = "give the name that it is for, or the server a certificate for this name"
        case _:
            remedy = (
                "if it is right, name a PEM file in SSL_CERT_FILE that has it, or the "
                "certificate of who signed it"
            )
    return f"the certificate of {server} is not accepted ({said}); {remedy}"


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return what TLS failed of, where an error is from it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
