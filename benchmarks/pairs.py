"""Texts and pairs for benchmarks, and the plain way to compare one pair: as a script would."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from similarity.models.local import LocalModel

SENTENCES = (
    "A man is playing a guitar on a small stage.",
    "Two children are kicking a ball across the park.",
    "The council will vote on the new budget next week.",
    "Shares of the airline fell after the strike was announced.",
    "How do I remove the battery from this laptop?",
    "The old bridge was closed because of the flood.",
    "A woman slices tomatoes in a bright kitchen.",
    "The river rises in the hills north of the town.",
    "She said that the meeting had been put off until Monday.",
    "A brown dog runs through shallow water.",
    "The museum shows paintings from the last century.",
    "He has not decided yet whether to accept the offer.",
)


def make_texts(count: int) -> list[str]:
    """Return texts that do not repeat, as sentences with a number."""
    return [f"{SENTENCES[i % len(SENTENCES)]} ({i + 1})" for i in range(count)]


def make_pairs(count: int) -> list[tuple[str, str]]:
    """Return pairs of texts that do not repeat, as sentences with a number."""
    texts = make_texts(2 * count)
    return list(zip(texts[::2], texts[1::2], strict=True))


def pairs_a_second(count: int, work: Callable[[], object]) -> float:
    """Time one run of the work."""
    begin = time.perf_counter()
    work()
    return count / (time.perf_counter() - begin)


@torch.inference_mode()
def generate_and_score(module: Any, model: LocalModel, first: str, second: str) -> float:
    """Return one pair's distance as a script would: `generate`, then padded batches.

    Samples each text's 20 continuations with transformers' own cache, then reads prefix and
    continuation together for all 40 under each text.

    Parameters
    ----------
    module
        The model's network in transformers' own class.
    """
    prefixes = [torch.tensor([model.encode(text)]).to(module.device) for text in (first, second)]
    sampled = [_generate(module, model, prefix) for prefix in prefixes]
    rows = [
        torch.cat([_mean_log_probs(module, model, prefix, part) for part in sampled])
        for prefix in prefixes
    ]
    return float((rows[0] - rows[1]).abs().mean())


def _generate(module: Any, model: LocalModel, prefix: Tensor) -> Tensor:
    output: Tensor = module.generate(
        prefix,
        do_sample=True,
        top_k=0,
        max_new_tokens=20,
        num_return_sequences=20,
        pad_token_id=max(model.end_ids),
    )
    return output[:, prefix.shape[1] :]


def _mean_log_probs(module: Any, model: LocalModel, prefix: Tensor, sampled: Tensor) -> Tensor:
    ids = torch.cat([prefix.expand(len(sampled), -1), sampled], dim=-1)
    ends = torch.isin(sampled, torch.tensor(list(model.end_ids), device=sampled.device))
    kept = ends.cumsum(-1) - ends.long() == 0  # up to and including the first end
    logits = module(input_ids=ids, use_cache=False).logits[:, prefix.shape[1] - 1 : -1]
    log_probs = logits.log_softmax(-1).gather(-1, sampled[..., None])[..., 0]
    means: Tensor = (log_probs * kept).sum(-1) / kept.sum(-1)
    return means
