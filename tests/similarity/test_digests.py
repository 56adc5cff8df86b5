import hashlib
import json
from pathlib import Path

from similarity.digests import digest, digest_of, digest_of_file, digest_of_texts


def test_a_digest_is_the_beginning_of_the_sha256(tmp_path: Path) -> None:
    content = "größer".encode()
    (tmp_path / "file").write_bytes(content)
    assert digest(content) == hashlib.sha256(content).hexdigest()[:16]
    assert digest_of_file(tmp_path / "file") == digest(content)


def test_the_order_of_names_does_not_count_and_that_of_texts_does() -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    digest = digest_of_texts(["one", "two"])
    # Runs that were begun by earlier releases go on only while these stay what they were.
    whole = json.dumps(["one", "two"]).encode()
    assert digest == {"texts": 2, "sha256": hashlib.sha256(whole).hexdigest()[:16]}
    assert digest != digest_of_texts(["two", "one"])
