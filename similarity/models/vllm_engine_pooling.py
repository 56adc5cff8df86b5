"""The model in vLLM's engine that pools, in this process: it gives states, and nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from similarity.arrays import Rows
from similarity.errors import ModelError, UnsupportedError, WrongAnswerError
from similarity.models.base import ModelInfo, OnProgress, TokenIds, ignore_progress
from similarity.models.checks import PARAGRAPH, Check
from similarity.models.states_only import StatesOnly
from similarity.models.vllm_engine import CHUNK, EngineModel
from similarity.models.walks import check_pooled, check_repeated
from similarity.slices import slices

# How the engine must be set.
SETTINGS = '"runner": "pooling", "convert": "embed"'
# Beginnings of the paragraph that are looked at.
WALK = 64


class OfflinePoolingModel(StatesOnly, EngineModel):
    """A model in vLLM's engine with the runner "pooling", made by `load_offline`."""

    place = "in an engine that pools"
    cure = "take the runner out of TRAJSIM_VLLM_ENGINE"

    def __init__(self, engine: Any, pooling_params: Any, info: ModelInfo) -> None:
        super().__init__(engine, info)
        # A text's states are as long as they are, whatever the engine was started with.
        self._params = pooling_params(use_activation=False)

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Have the engine pool many prefixes at a time.

        Raises
        ------
        WrongAnswerError
            If a state is missing, of another width, zero or not finite.
        """
        parts = []
        for chunk in slices(prefixes, CHUNK):
            given = [{"prompt_token_ids": list(prefix)} for prefix in chunk]
            outputs = self._engine.encode(given, self._params, pooling_task="embed", use_tqdm=False)
            parts.append(_states(outputs, chunk))
            on_progress(len(chunk))
        return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def checks(self) -> Iterator[Check]:
        """Check the engine's states, as those of a server that pools are checked.

        Raises
        ------
        UnsupportedError
            If it is set to give something else than states.
        """
        config = self._engine.llm_engine.model_config
        reads = str(getattr(config, "attn_type", "decoder"))
        yield Check("attention", reads, _not_causal(self.info.name, reads))
        ids = self.encode(PARAGRAPH)[: min(WALK, self.info.context_length)]
        begins = [ids[:end] for end in range(min(2, len(ids)), len(ids) + 1)]
        try:
            walk = self.next_states(begins)
        except ModelError:
            raise
        except Exception as error:  # each release refuses in a way of its own
            line = " ".join(str(error).split())[:200]
            raise UnsupportedError(
                f"the engine gives no states of {self.info.name}: {line}; put {SETTINGS} into "
                "TRAJSIM_VLLM_ENGINE"
            ) from error
        yield from check_pooled(walk, self._refused)
        backwards, alone = self.next_states(begins[::-1]), self.next_states(begins[-1:])
        yield check_repeated(walk, backwards, alone, self._refused)

    def _refused(self, what: str) -> ModelError:
        cure = '"pooler_config": {"seq_pooling_type": "LAST", "use_activation": false}'
        return WrongAnswerError(
            f"the engine with {self.info.name} {what}; put {SETTINGS}, {cure} into "
            "TRAJSIM_VLLM_ENGINE"
        )


def _not_causal(name: str, reads: str) -> ModelError | None:
    if reads not in ("encoder_only", "encoder", "encoder_decoder"):
        return None
    return WrongAnswerError(
        f"{name} is no causal language model for vLLM (its attention is {reads}); give one"
    )


def _states(outputs: Sequence[Any], prefixes: Sequence[TokenIds]) -> Rows:
    if [tuple(one.prompt_token_ids) for one in outputs] != [tuple(one) for one in prefixes]:
        raise WrongAnswerError("the engine pooled other tokens than it was given")
    rows = [np.asarray(one.outputs.data.float().cpu().numpy()) for one in outputs]
    if {row.ndim for row in rows} != {1} or len({len(row) for row in rows}) > 1:
        raise WrongAnswerError("the engine gave states of different widths; set it to pool a token")
    states = np.array(rows, np.float32)
    if not (np.isfinite(states).all() and states.any(axis=1).all()):
        raise WrongAnswerError(
            "the engine gave states that are zero or not finite; load the model in another dtype"
        )
    return states
