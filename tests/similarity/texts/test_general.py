from similarity.texts.general import general_digest, general_sentences
from tests.conftest import ROOT


def test_sentences_are_many_different_and_ordinary() -> None:
    sentences = general_sentences()
    assert len(sentences) > 300
    assert len(set(sentences)) == len(sentences)
    assert all(sentence == sentence.strip() for sentence in sentences)
    assert {len(sentence.split()) > 2 for sentence in sentences} == {True}


def test_digest_is_of_what_ships() -> None:
    # Calibrations and fits name it: who changes the sentences must know that those are stale.
    assert general_digest() == "a613b8e140b3446a"


def test_sources_count_every_sentence() -> None:
    readme = (ROOT / "similarity" / "data" / "README.md").read_text(encoding="utf-8")
    counts = [line.split("|")[1].strip() for line in readme.splitlines() if line.startswith("|")]
    assert sum(int(count) for count in counts if count.isdigit()) == len(general_sentences())
