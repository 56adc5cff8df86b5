from similarity.storage.differences import differences


def test_each_value_that_differs_is_named() -> None:
    got = {"same": 1, "inner": {"a": "x", "rows": [1, {"b": 2}]}, "new": True}
    there = {"same": 1, "inner": {"a": "y", "rows": [1, {"b": 3}, 4]}}
    assert list(differences(got, there)) == [
        'inner.a is "x", there "y"',
        "inner.rows.1.b is 2, there 3",
        "inner.rows.2 is null, there 4",
        "new is true, there null",
    ]
    assert not list(differences(there, there))


def test_what_a_person_has_a_word_for_is_named_by_it() -> None:
    got = {"fingerprint": {"calibration": "3f", "settings": {"vectors": {"groups": [1]}}}}
    there = {"fingerprint": {"calibration": "default", "settings": {"distance": "l1"}}}
    assert list(differences(got, there)) == [
        "the scale of similarities is another (trajsim scales list)",
        'fingerprint.settings.distance is null, there "l1"',
        "the preset is another, or the vectors (a model that takes too few tokens lacks some)",
    ]
    assert not list(differences(there, there))


def test_digests_are_not_shown_and_long_values_are_cut() -> None:
    assert list(differences({"SHA-256 of the input": "1"}, {"SHA-256 of the input": "2"})) == [
        "the input has changed since"
    ]
    (message,) = differences("x" * 100, "y", "text")
    assert message == f'text is "{"x" * 59}…, there "y"'
