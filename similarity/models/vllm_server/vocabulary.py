"""How many tokens the model of a server has, which no route tells.

Ids are tried by a bias, which vLLM refuses for a token that it does not have. None is sent to be
read: vLLM 0.26 lets the first id after the vocabulary be read, and on a GPU its engine ends on it.
"""

from similarity.errors import RequestRefusedError
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.scoring import scoring_body
from similarity.models.vllm_server.values import MOST_TOKENS
from similarity.models.vllm_server.wire import Prompt

# Why the size is not found.
NO_BIAS = (
    "it refuses no logit_bias of a token that no model has, and by that the vocabulary's size is "
    "found; does a gateway leave logit_bias out, or refuse it? Give the server's own address"
)


async def find_vocab_size(pool: Pool, name: str, probe: Prompt) -> int | None:
    """Return the first token id that a server does not have, by trying.

    It is None where a server looks at no bias, or takes none at all.

    Parameters
    ----------
    name, probe
        Of the served model, and what it can read.
    """
    if not await checks_biases(pool, name, probe):
        return None
    taken, refused = 0, 1
    while not await _lacks(pool, name, probe, refused):
        taken, refused = refused, 2 * refused
    while refused - taken > 1:
        middle = (taken + refused) // 2
        lacks = await _lacks(pool, name, probe, middle)
        taken, refused = (taken, middle) if lacks else (middle, refused)
    return refused


async def checks_biases(pool: Pool, name: str, probe: Prompt) -> bool:
    """Return whether a server refuses a bias of a token that no model has."""
    return await _lacks(pool, name, probe, MOST_TOKENS)


async def _lacks(pool: Pool, name: str, probe: Prompt, token: int) -> bool:
    # By nothing: where it is taken, it changes nothing.
    body = {**scoring_body(name, [probe]), "logit_bias": {str(token): 0.0}}
    try:
        await pool.request(wire.COMPLETIONS, bool, body)
    except RequestRefusedError as error:
        # Whoever refuses any bias says nothing of the token.
        return wire.OUT_OF_VOCABULARY in str(error)
    return False
