"""The vectors that a language model itself has of a text: its last layer's hidden states."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np

from eval.methods.base import Factory, Method, Setting
from eval.methods.cosine import Cosine, Embed, Vectors, fit_whitening
from eval.methods.kept import kept_whitening
from eval.methods.texts import opening_length, unlabelled_texts
from similarity.arrays import Rows
from similarity.digests import digest_of_texts
from similarity.models.base import LanguageModel
from similarity.prompts import PROMPTS, Prompt
from similarity.trajectories import encode_prefixes
from similarity.vectors.whitening import Whitening

# λ of the whitening, fixed beforehand: choosing it on judgements would be training.
SHRINKAGE = 0.1

# PromptEOL (Jiang et al. 2023, arXiv 2307.16645, Section 3.1).
PROMPTEOL = PROMPTS["one-word"]

Pool = Callable[[Rows], Vectors]


def _last(states: Rows) -> Vectors:
    vector: Vectors = states[-1].astype(np.float64)
    return vector


def _mean(states: Rows) -> Vectors:
    vector: Vectors = states.mean(axis=0, dtype=np.float64)
    return vector


# From the states of a text's own tokens, shape "token width", to one vector, shape "width".
POOLS: dict[str, Pool] = {"last token": _last, "mean token": _mean}


def hidden_states(pool: str) -> Factory:
    """Return the cosine of hidden states, of the last token or their mean (paper, Table 1).

    What the model wants at the beginning of every text, such as a BOS token, is left out of the
    mean. It is the same for all texts, and often far longer than the rest. The paper does not
    say; its GPT-2 and Falcon have none.
    """

    def make(setting: Setting) -> Method:
        prompt = setting.config.prompt
        embed = _embedder(setting.model, prompt, POOLS[pool])
        return Cosine(embed, {"pool": pool, "prompt": asdict(prompt)})

    return make


def whitened_hidden_states(
    pool: str, shrinkage: float = SHRINKAGE, rank: int | None = None
) -> Factory:
    """Return the same, centred and whitened by their statistics over the unlabelled texts."""

    def make(setting: Setting) -> Method:
        prompt = setting.config.prompt
        # The model first: texts do not help one that gives no states.
        embed = _embedder(setting.model, prompt, POOLS[pool])
        texts = unlabelled_texts(setting, f"the whitening of the {pool}")
        settings = {
            "pool": pool,
            "prompt": asdict(prompt),
            "shrinkage": shrinkage,
            "rank": rank,
            "fitted on": digest_of_texts(texts),
        }

        def fitted() -> Whitening:
            on_progress = setting.progress("fitting", len(texts))
            return fit_whitening(embed, texts, shrinkage, rank, on_progress)

        whitening = kept_whitening(setting, settings, fitted)
        return Cosine(lambda texts: whitening.apply(embed(texts)), settings)

    return make


def prompteol(setting: Setting) -> Method:
    """Return the cosine of each text's last state, after a prompt for the text in one word.

    The prompt takes the place of the setting's own, whose full stop is kept. As its authors do,
    double quotes within a text become single ones, since they would end it.
    """
    prompt = replace(PROMPTEOL, full_stop=setting.config.prompt.full_stop)
    embed = _embedder(setting.model, prompt, _last)
    settings = {"pool": "last token", "prompt": asdict(prompt)}
    return Cosine(lambda texts: embed([text.replace('"', "'") for text in texts]), settings)


def _embedder(model: LanguageModel, prompt: Prompt, pool: Pool) -> Embed:
    """Return a function from texts to pooled states, shape "text width".

    Raises
    ------
    UnsupportedError
        If the model does not give hidden states; raised now rather than at the first text.
    """
    model.hidden_states([model.encode("a")])
    opening = opening_length(model)

    def embed(texts: Sequence[str]) -> Vectors:
        prefixes = encode_prefixes(model, texts, prompt, max_tokens=0)
        states = model.hidden_states([prefix.token_ids for prefix in prefixes])
        return np.stack([pool(rows[opening:]) for rows in states])

    return embed
