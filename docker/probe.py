"""The image's health check: exits 0 if the service in this container is ready, and 1 if not."""

import http.client
import os
import sys


def main() -> int:
    """Call the readiness probe and return the exit status; no proxy is used."""
    port = int(os.environ.get("TRAJSIM_PORT", "8000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        print(answer.read().decode())
    except OSError as error:
        print(error)
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
