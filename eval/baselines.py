"""What a result must be read against: scores that need no model."""

import re

_WORD = re.compile(r"\w+")


def word_overlap(first: str, second: str) -> float:
    """Return the Jaccard index, in [0, 1], of the two texts' lower-cased words."""
    words = [set(_WORD.findall(text.lower())) for text in (first, second)]
    union = words[0] | words[1]
    return len(words[0] & words[1]) / len(union) if union else 1.0
