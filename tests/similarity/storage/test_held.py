import os
import socket
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.storage.held import made_and_held, open_held


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    os.mkfifo(path)
    for opened in (open_held, made_and_held):
        with pytest.raises(InputError, match=r"journal\.jsonl is no plain file; move it away"):
            opened(path)


def test_so_are_sockets_and_devices(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        for place in (path, Path("/dev/null")):
            with pytest.raises(InputError, match="is no plain file"):
                open_held(place)


def test_a_link_to_a_file_or_to_none_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "target")
    for _ in range(2):
        file, _ = open_held(path)
        file.write(b"x")
        file.close()
    assert (tmp_path / "target").read_bytes() == b"xx"
