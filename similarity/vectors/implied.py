"""The words that texts imply: tokens that a profile makes likelier than usual."""

from collections import defaultdict
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import FloatArray, Rows
from similarity.errors import UnsupportedError
from similarity.models.base import LanguageModel
from similarity.vectors.config import ProfileConfig, StatesConfig, VectorConfig
from similarity.vectors.meaning import Features, Group, MeaningVectors
from similarity.vectors.profile import ProfileReader, Profiles

# A word that a text makes likelier than usual is shown only if it is also likely enough to be
# sensible: nats.
LIKELY = -11.0
# Of two texts, a word is shown that is raised by at least this part of what the most raised one is,
# in nats: what is left out only begins like the others.
RAISED = 0.4
# Tokens of the vocabulary, per word shown, that are turned into text: most are parts of words.
CANDIDATES = 40


# What words are for, where nothing else needs them.
SEE_WORDS = "see which words texts imply"


@dataclass(frozen=True)
class ImpliedWord:
    """A word that may come next, and what it adds to the cosine.

    Parameters
    ----------
    share
        What its tokens add; negative where one text implies it and the other does not.
    beyond_usual
        How much likelier than usual the word is after either text, and than the average token: a
        natural logarithm (nats).
    """

    word: str
    share: float
    beyond_usual: tuple[float, float]


@dataclass(frozen=True)
class ImpliedWords:
    """The words that both texts imply beyond the usual, and those that one does far more."""

    both: tuple[ImpliedWord, ...]
    first: tuple[ImpliedWord, ...]
    second: tuple[ImpliedWord, ...]


def no_words(model: LanguageModel, config: VectorConfig, use: str = SEE_WORDS) -> str | None:
    """Return why there are no words, and what would give them; None where there are some.

    None too where vectors of these settings are of nothing that the model predicts.

    Parameters
    ----------
    use
        What the words are for, as a verb.
    """
    kinds = {group.kind for group in config.groups}
    if ProfileConfig.kind in kinds or StatesConfig.kind not in kinds:
        return None
    return _states_alone(model, use)


def check_words(model: LanguageModel, config: VectorConfig | None, use: str = SEE_WORDS) -> None:
    """Refuse vectors without a profile by their settings, before any text is read for them.

    Parameters
    ----------
    config
        None where there are no vectors: that is refused where they are opened.
    use
        What the words are for, as a verb.

    Raises
    ------
    UnsupportedError
        If the vectors have none, or the model gives states alone.
    """
    if config is not None and not any(isinstance(one, ProfileConfig) for one in config.groups):
        raise UnsupportedError(
            no_words(model, config, use)
            or f"these vectors have no profile of next tokens, to {use}; fit vectors with one"
        )


def _states_alone(model: LanguageModel, use: str = SEE_WORDS) -> str:
    return (
        f"{model.info.name} is on a server that gives its states and no words; to {use}, start the "
        "server to generate (without --runner pooling), or load the model in this process"
    )


def profiles(model: LanguageModel, group: Group, rows: Rows) -> Profiles:
    """Return the profiles of texts from a group's features, shape "text feature".

    Raises
    ------
    UnsupportedError
        If the group has the model's states, and not what words they stand for.
    """
    reader = group.reader
    if not isinstance(reader, ProfileReader):
        raise UnsupportedError(_states_alone(model))
    return reader.profiles(model, group.whitening, rows)


def shown_group(vectors: MeaningVectors) -> str | None:
    """Return the name of the first group of profiles, whose words are shown; None without any."""
    for name in vectors.names:
        if isinstance(vectors.groups[name].reader, ProfileReader):
            return name
    return None


def shown_profiles(vectors: MeaningVectors, features: Features) -> Profiles | None:
    """Return the profiles of texts by the group whose words are shown; None without any."""
    name = shown_group(vectors)
    if name is None:
        return None
    return profiles(vectors.model, vectors.groups[name], features[name])


def likelier_words(
    vectors: MeaningVectors, name: str, rows: Rows, top: int
) -> list[tuple[str, float, float]]:
    """Return the words that one text makes likelier than usual, the most first.

    Returns
    -------
    list
        Word, nats beyond the usual, log-probability in nats.
    """
    found = profiles(vectors.model, vectors.groups[name], rows)
    raised = np.where(found.log_probs[0] > LIKELY, found.beyond_usual[0], -np.inf)
    words = _joined(vectors.model, found.tokens, raised, top)
    return [
        (word, float(raised[at[0]]), float(found.log_probs[0, at[0]])) for word, at in words.items()
    ]


def implied_words(
    vectors: MeaningVectors, features: Features, found: Profiles, top: int
) -> ImpliedWords:
    """Return the words that two texts imply.

    Parameters
    ----------
    features
        Of the two texts.
    found
        Their `shown_profiles`.
    """
    name = shown_group(vectors)
    assert name is not None, "what has a profile has a group of profiles"
    # Few tokens are: no other is looked at.
    found = found.at(np.flatnonzero((found.log_probs > LIKELY).any(axis=0)))
    # The mean of the two readings is the same for (u, v) and (v, u).
    shares = cosine_scale(vectors, name, features) * (
        found.beyond_usual * found.partners[::-1]
    ).mean(axis=0)
    a, b = found.beyond_usual
    likely = found.log_probs > LIKELY
    least = RAISED * float(found.beyond_usual[likely].max(initial=0))

    def chosen(raised: FloatArray, shown: NDArray[np.bool_], count: int) -> dict[str, ImpliedWord]:
        scores = np.where(shown & (raised >= least), raised, -np.inf)
        words = _chosen(vectors.model, found, shares, scores, count)
        return {word.word: word for word in words}

    both = chosen(np.minimum(a, b), likely[0] & likely[1], top)
    first = chosen(_alone(a, b), likely[0], 2 * top)
    second = chosen(_alone(b, a), likely[1], 2 * top)
    # The variants of a word may be raised otherwise than it: it stands in one column or in none.
    elsewhere = both.keys() | (first.keys() & second.keys())

    def alone(words: dict[str, ImpliedWord]) -> tuple[ImpliedWord, ...]:
        return tuple(word for name, word in words.items() if name not in elsewhere)[:top]

    return ImpliedWords(both=tuple(both.values()), first=alone(first), second=alone(second))


def _alone(here: FloatArray, there: FloatArray) -> FloatArray:
    """Return by how much more one text implies each word; −∞ where the other does half as much."""
    return np.where(there < here / 2, here - np.maximum(there, 0), -np.inf)


def _chosen(
    model: LanguageModel,
    found: Profiles,
    shares: FloatArray,
    scores: FloatArray,
    top: int,
) -> tuple[ImpliedWord, ...]:
    """Return the words of the highest scores above 0."""
    words = _joined(model, found.tokens, scores, top)
    return tuple(
        ImpliedWord(
            word,
            float(shares[at].sum()),
            (float(found.beyond_usual[0, at[0]]), float(found.beyond_usual[1, at[0]])),
        )
        for word, at in words.items()
    )


def _joined(
    model: LanguageModel, tokens: NDArray[np.int64], scores: FloatArray, top: int
) -> dict[str, list[int]]:
    """Return the words of the highest scores above 0, and the places of each word's tokens.

    Variants in case and in leading space are joined. Pieces of words are left out, but for models
    that have nothing else, such as those of bytes.
    """
    # To sort all of them takes far longer.
    raised = np.flatnonzero(scores > 0)
    places = raised[np.argsort(-scores[raised], kind="stable")][: CANDIDATES * top].tolist()
    for whole in (True, False):
        words: dict[str, list[int]] = defaultdict(list)
        for i in places:
            text = _text(model, int(tokens[i]))
            word = text.strip().casefold()
            if not any(character.isalnum() for character in word):
                continue
            if word in words or (len(words) < top and (not whole or _begins_a_word(model, text))):
                words[word].append(i)
        if words:
            return dict(words)
    return {}


# What was found of a model's tokens: most texts have the same candidates. Both by the model's
# `changes`: another tokenizer's answers are not used again.
_TEXTS: WeakKeyDictionary[LanguageModel, dict[tuple[int, int], str]] = WeakKeyDictionary()
_BEGIN: WeakKeyDictionary[LanguageModel, dict[tuple[int, str], bool]] = WeakKeyDictionary()


def _text(model: LanguageModel, token: int) -> str:
    """Return the text of a token, which the model is asked for once."""
    known, key = _TEXTS.setdefault(model, {}), (model.changes(), token)
    if key not in known:
        known[key] = model.decode((token,))
    return known[key]


def _begins_a_word(model: LanguageModel, text: str) -> bool:
    """Whether a token is a word, not a piece of one: with a space before it is one token too."""
    if text[0].isspace():
        return True
    known, key = _BEGIN.setdefault(model, {}), (model.changes(), text)
    if key not in known:
        known[key] = len(model.encode_continuation(f" {text}")) == 1
    return known[key]


def cosine_scale(vectors: MeaningVectors, name: str, features: Features) -> float:
    """Return the factor of the product of two texts' whitened rows in the cosine."""
    lengths = np.linalg.norm(vectors.groups[name].whitening.apply(features[name]), axis=1)
    return float(vectors.weights(features)[name] / np.where(lengths > 0, lengths, 1).prod())
