"""What is said of a certificate that is not accepted."""

import ssl

# Of OpenSSL: a certificate that is not valid yet, or no longer, or for another name or address.
NOT_YET, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64


def uncertified(server: str, problem: ssl.SSLCertVerificationError) -> str:
    """Return what is wrong with the certificate of a server, and what to do, in one line."""
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


def tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return what TLS failed of, where an error is from it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause
