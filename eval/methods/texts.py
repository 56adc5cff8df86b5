"""The texts that methods read: each once, in batches, and those to fit on by their digest."""

from collections.abc import Sequence

from eval.methods.base import Pair, Setting
from similarity.errors import ConfigError
from similarity.models.base import LanguageModel

# Texts whose vectors, and all that they are made from, are held at once.
BATCH = 512


def distinct(pairs: Sequence[Pair]) -> list[str]:
    """Return each text of the pairs once, in order."""
    return list(dict.fromkeys(text for pair in pairs for text in pair))


def unlabelled_texts(setting: Setting, method: str) -> list[str]:
    """Return each unlabelled text once, in order: there are at least two.

    Raises
    ------
    ConfigError
        If there are fewer, as `method` then has nothing to fit on.
    """
    texts = list(dict.fromkeys(setting.unlabelled))
    if len(texts) < 2:
        raise ConfigError(
            f"there are too few unlabelled texts to fit {method} to: {len(texts)}; give two or "
            "more that are not in the task by --unlabelled FILE"
        )
    return texts


def opening_length(model: LanguageModel) -> int:
    """Return how many tokens the model wants at the beginning of every text."""
    return len(model.encode("a")) - len(model.encode_continuation("a"))
