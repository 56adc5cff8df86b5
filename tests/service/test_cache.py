import numpy as np

from service.engine.cache import Cache, embed_key


def test_the_cache_keeps_to_its_size_and_forgets_what_was_used_longest_ago():
    cache = Cache(2_000)
    rows = [np.zeros(20) for _ in range(50)]
    for i, row in enumerate(rows):
        cache.put("score", [bytes([i])], [row])
        cache.get("score", [b"\0"])
    assert cache.bytes_used <= 2_000
    assert cache.get("score", [b"\0"]) is not None
    assert cache.get("score", [b"\1"]) is None
    cache.put("score", [b"huge"], [np.zeros(1_000)])
    assert cache.get("score", [b"huge"]) is None
    assert cache.get("score", [b"\0"]) is not None


def test_white_space_around_a_text_makes_no_other_entry() -> None:
    key = embed_key("A dog runs.", ("a",), 0)
    assert embed_key("  A dog runs.\n", ("a",), 0) == key
    assert embed_key("A  dog runs.", ("a",), 0) != key
