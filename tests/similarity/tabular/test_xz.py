"""Files of xz: all streams are read, or the file is refused."""

import io
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.errors import InputError
from similarity.tabular.formats import open_binary
from similarity.tabular.xz import open_xz

# As many streams as `cat a.xz b.xz` makes, and the zeros that may follow each.
STREAMS = st.lists(st.tuples(st.binary(max_size=50), st.integers(0, 2)), min_size=1, max_size=4)


def packed(streams: list[tuple[bytes, int]]) -> bytes:
    return b"".join(lzma.compress(content) + b"\0" * 4 * zeros for content, zeros in streams)


@given(STREAMS)
def test_all_streams_are_read(streams: list[tuple[bytes, int]]) -> None:
    whole = b"".join(content for content, _ in streams)
    assert open_xz(io.BytesIO(packed(streams))).read() == whole
    assert b"".join(open_xz(io.BytesIO(packed(streams)))) == whole


@given(STREAMS, st.data())
def test_damage_anywhere_is_found(streams: list[tuple[bytes, int]], data: st.DataObject) -> None:
    content = bytearray(packed(streams))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((lzma.LZMAError, EOFError)):
        open_xz(io.BytesIO(content)).read()


@given(STREAMS, st.data())
def test_what_is_cut_off_is_found(streams: list[tuple[bytes, int]], data: st.DataObject) -> None:
    content = packed([*streams[:-1], (streams[-1][0], 0)])
    last = len(lzma.compress(streams[-1][0]))
    kept = content[: -data.draw(st.integers(1, last - 1))]
    with pytest.raises((lzma.LZMAError, EOFError)):
        open_xz(io.BytesIO(kept)).read()


def test_more_than_is_read_at_a_time() -> None:
    noise = np.random.default_rng(0).bytes(2**17)  # which no packing makes shorter
    assert open_xz(io.BytesIO(lzma.compress(noise) * 2)).read() == 2 * noise


@pytest.mark.parametrize("place", [0, 8])
def test_a_damaged_later_stream_is_said(tmp_path: Path, place: int) -> None:
    # lzma.open left out all its rows, unsaid.
    later = bytearray(lzma.compress(b"d,e\n" * 3))
    later[place] ^= 0xFF
    path = tmp_path / "pairs.csv.xz"
    path.write_bytes(lzma.compress(b"a,b\n") + later)
    with pytest.raises(InputError, match="pack it anew"), open_binary(str(path)) as file:
        file.read()
