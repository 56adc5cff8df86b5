"""Prefix and continuation of every kind of tokenizer that there is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from benchmarks.zoo_models import save_tiny
from similarity.errors import InputError, ModelError, WrongAnswerError
from similarity.models.checks import PARAGRAPH
from similarity.models.local import load_local
from similarity.models.tokenization import ANCHORS, Tokenization

TEXTS = [
    PARAGRAPH,
    "It came at last, when the sun was low. " * 3,
    "He has 3 boats, 12 nets and no time.",
]
SPECIAL = ["<unk>", "<s>", "</s>", "[CLS]", "[SEP]"]


def trained(model: Any, trainer: Any, single: str, **parts: Any) -> Tokenizer:
    """Train a tokenizer, and let it put what `single` says around a text."""
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(TEXTS, trainer)
    affixes = [(name, tokenizer.token_to_id(name)) for name in single.split() if name != "$A"]
    if affixes:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=single, special_tokens=affixes
        )
    return tokenizer


def byte_level(single: str, *, prefix_space: bool = False) -> Tokenizer:
    return trained(
        models.BPE(),
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
        single,
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=prefix_space),
        decoder=decoders.ByteLevel(),
    )


def sentencepiece(single: str, scheme: Any) -> Tokenizer:
    return trained(
        models.BPE(unk_token="<unk>"),
        trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False),
        single,
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme=scheme),
        decoder=decoders.Metaspace(prepend_scheme=scheme),
    )


def llama_2(single: str) -> Tokenizer:
    """Return the layout of Llama 2: words are marked by a normalizer, and so is the first."""
    pieces = [f"▁{word}" for text in TEXTS for word in text.split()]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys([*SPECIAL, "▁", *pieces]))}
    for character in sorted(set("".join(TEXTS))):
        vocabulary.setdefault(character, len(vocabulary))
    merges = []
    for piece in dict.fromkeys(pieces):
        for end in range(2, len(piece) + 1):
            vocabulary.setdefault(piece[:end], len(vocabulary))
            merges.append((piece[: end - 1], piece[end - 1]))
    tokenizer = Tokenizer(models.BPE(vocabulary, list(dict.fromkeys(merges)), unk_token="<unk>"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    affixes = [(name, vocabulary[name]) for name in single.split() if name != "$A"]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=affixes)
    return tokenizer


def unigram(single: str) -> Tokenizer:
    return trained(
        models.Unigram(),
        trainers.UnigramTrainer(
            vocab_size=150, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        ),
        single,
        pre_tokenizer=pre_tokenizers.Metaspace(),
        decoder=decoders.Metaspace(),
    )


def word_piece(single: str) -> Tokenizer:
    return trained(
        models.WordPiece(unk_token="<unk>"),
        trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False),
        single,
        normalizer=normalizers.BertNormalizer(lowercase=True),
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
        decoder=decoders.WordPiece(),
    )


def characters(_single: str) -> Tokenizer:
    known = [*SPECIAL, *sorted(set("".join(TEXTS)))]
    tokenizer = Tokenizer(models.WordLevel({c: i for i, c in enumerate(known)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


KINDS: dict[str, tuple[Callable[[], Tokenizer], tuple[str, ...]]] = {
    "bytes": (lambda: byte_level("$A"), ()),
    "bytes, begin": (lambda: byte_level("<s> $A"), ("<s>",)),
    "bytes, begin and end": (lambda: byte_level("<s> $A </s>"), ("<s>",)),
    "bytes, prefix space": (lambda: byte_level("$A", prefix_space=True), ()),
    "sentencepiece, marks first words": (lambda: sentencepiece("<s> $A", "always"), ("<s>",)),
    "sentencepiece, marks the first": (lambda: sentencepiece("<s> $A", "first"), ("<s>",)),
    "sentencepiece, no mark": (lambda: sentencepiece("$A", "never"), ()),
    "Llama 2": (lambda: llama_2("<s> $A"), ("<s>",)),
    "unigram, end": (lambda: unigram("$A </s>"), ()),
    "word pieces, separator": (lambda: word_piece("[CLS] $A [SEP]"), ("[CLS]",)),
    "characters": (lambda: characters("$A"), ()),
}


def wrapped(tokenizer: Tokenizer, **names: Any) -> Any:
    kind: Any = transformers.PreTrainedTokenizerFast
    return kind(tokenizer_object=tokenizer, **names)


def taken_apart(tokenizer: Any) -> Tokenization:
    return Tokenization(tokenizer, frozenset(), len(tokenizer))


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_its_prefix_and_its_continuation(kind: str) -> None:
    make, opening = KINDS[kind]
    tokenizer = wrapped(make())
    found = taken_apart(tokenizer)
    assert tuple(tokenizer.convert_ids_to_tokens(list(found.opening))) == opening
    for first, second in [
        ("The boats came in.", " He closed the book."),
        ("He has 12 nets.", " The sun was low."),
    ]:
        prefix, continuation = found.encode(first), found.encode_continuation(second)
        assert prefix + continuation == found.encode(first + second)
        assert not set(prefix[len(opening) :] + continuation) & set(range(1, 5))
        assert prefix[: len(opening)] == found.opening


@pytest.mark.parametrize("kind", KINDS)
def test_a_continuation_may_be_a_part_of_a_word_or_a_sign(kind: str) -> None:
    found = taken_apart(wrapped(KINDS[kind][0]()))
    for text in ("boats", ".", "12", ", and"):
        ids = found.encode_continuation(text)
        assert ids
        assert found.decode(found.encode("a.") + ids).replace(" ", "") == f"a.{text}".replace(
            " ", ""
        )


def test_added_tokens_are_text() -> None:
    tokenizer = wrapped(byte_level("<s> $A"), eos_token="</s>")
    tokenizer.add_tokens(["harbour"])
    found = Tokenization(tokenizer, frozenset({2}), len(tokenizer))
    assert found.decode(found.encode("a </s> harbour")) == "a </s> harbour"
    assert 2 not in found.encode("a </s>")


def test_truncation_that_was_saved_cuts_nothing(tmp_path: Path) -> None:
    made = byte_level("<s> $A")
    made.enable_truncation(4)
    made.enable_padding(length=64)
    wrapped(made).save_pretrained(tmp_path)
    found = taken_apart(transformers.AutoTokenizer.from_pretrained(tmp_path))
    assert found.decode(found.encode("The boats came in at noon.")) == "The boats came in at noon."


# So seldom as the second that three readings of a paragraph are most often one.
@pytest.mark.parametrize("dropout", [0.5, 1e-6])
def test_a_tokenizer_that_is_not_repeatable_is_refused(dropout: float) -> None:
    made = byte_level("$A")
    made.model.dropout = dropout
    with pytest.raises(WrongAnswerError, match="other tokens each time; set its dropout to null"):
        taken_apart(wrapped(made))


def test_tokens_that_the_network_has_not(tmp_path: Path) -> None:
    folder = save_tiny("llama", tmp_path)
    tokenizer = wrapped(byte_level("<s> $A"))
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="the tokenizer has 400 tokens and the network 258: they"):
        load_local(str(folder))
    with pytest.raises(WrongAnswerError, match="the tokenizer has .* tokens and the network 2000"):
        Tokenization(tokenizer, frozenset(), 2000)
    with pytest.raises(WrongAnswerError, match="the end of a sequence is token 50256 and the netw"):
        Tokenization(tokenizer, frozenset({50256}), len(tokenizer))


def test_an_added_token_that_the_network_has_not_is_no_crash(tmp_path: Path) -> None:
    folder = save_tiny("llama", tmp_path)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["harbour"])
    tokenizer.save_pretrained(folder)
    model = load_local(str(folder))
    assert model.encode("a quay")
    with pytest.raises(InputError, match="has token 258, and the network has 258; leave out"):
        model.encode("a harbour")
    with pytest.raises(InputError, match="has token 258"):
        model.encode_continuation(" harbour")


def test_a_text_without_tokens_is_refused() -> None:
    found = taken_apart(wrapped(trained(models.BPE(), trainers.BpeTrainer(), "$A")))
    with pytest.raises(InputError, match="has no tokens for the text that begins '犬'"):
        found.encode("犬")


@pytest.mark.parametrize("kind", ["word pieces, separator", "characters", "unigram, end"])
def test_a_text_of_unknown_tokens_alone_is_refused(kind: str) -> None:
    """Else all such texts were one and the same."""
    found = taken_apart(wrapped(KINDS[kind][0](), unk_token="<unk>"))
    for text in ("犬", "猫", "猫 猫"):
        with pytest.raises(InputError, match=f"has <unk> alone for the text that begins '{text}'"):
            found.encode(text)
    assert found.encode("12 犬")
    assert found.encode("")[len(found.opening) :] == ()


def test_a_tokenizer_that_raises_is_no_crash() -> None:
    known = sorted(set("".join([*TEXTS, *ANCHORS])))
    made = Tokenizer(models.WordLevel({c: i for i, c in enumerate(known)}))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    found = taken_apart(wrapped(made))
    with pytest.raises(InputError, match="cannot read the text that begins '犬'"):
        found.encode("犬")
