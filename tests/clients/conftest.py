"""A service for real client libraries to talk to; `make test-clients` runs these tests.

They run in an environment of the clients' own, which has none of this project's packages. The
service runs in the project's.
"""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

# The project's Python; without it there is nothing to talk to.
SERVER = os.environ.get("TRAJSIM_TEST_SERVICE_PYTHON")

collect_ignore_glob = [] if SERVER else ["test_*.py"]


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Serve the embedded model by uvicorn, on a port that is free."""
    assert SERVER is not None
    command = [SERVER, "-m", "similarity", "serve", "--model", "embedded", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if ready := re.search(r"ready: (http://\S+)", line):
                break
        else:
            raise AssertionError("the service did not start")
        yield ready[1]
        process.terminate()
