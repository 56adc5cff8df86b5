"""Refuses features that hardly depend on the text: centred and whitened, rounding looks like it.

A model whose weights are damaged, or that sees few tokens back, predicts the same after any text.
Its vectors would be made of rounding alone, and so would all scores.
"""

from similarity.errors import WrongAnswerError
from similarity.models.base import LanguageModel
from similarity.vectors.whitening import WhiteningFit

# The least spread of features, in parts of their size. In single precision roundings alone make
# 4e-6 of it. Tiny random models have 0.0015 and more, SmolLM2 has 0.4.
LEAST_SPREAD = 1e-4
# In half precision it is half of what one rounding moves a number by.
_LEAST = {"float16": 2**-12, "bfloat16": 2**-9}


def check_spread(model: LanguageModel, group: str, fit: WhiteningFit) -> None:
    """Check that a model gives other features of other texts.

    Parameters
    ----------
    group
        The name of the group of features, for the message.
    fit
        Of the features of texts that differ.

    Raises
    ------
    WrongAnswerError
        If they differ by no more than rounding may make of none.
    """
    spread, least = fit.spread, _LEAST.get(model.info.dtype, LEAST_SPREAD)
    if spread >= least:
        return
    raise WrongAnswerError(
        f"{model.info.name} predicts the same after any text: over {fit.rows} texts its features "
        f"({group}) vary by {spread:.1g} of their size, and may vary so by rounding alone; "
        f"{least:.1g} is the least. Its weights are damaged or were converted wrongly, or it sees "
        "few tokens back: copy or convert them again, or use another model"
    )
