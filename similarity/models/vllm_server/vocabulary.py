"""How many tokens the model of a server has, which no route tells."""

from collections.abc import Callable
from typing import Any

from similarity.errors import InputError, RequestRefusedError
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.scoring import scoring_body
from similarity.models.vllm_server.values import MOST_TOKENS
from similarity.models.vllm_server.wire import Prompt


def find_vocab_size(
    ask: Callable[[dict[str, Any]], object],
    read: Callable[[int], object],
    name: str,
    probe: Prompt,
) -> int:
    """Return the first token id that a server does not have, by trying.

    Ids are tried by a bias, which vLLM refuses for a token that it does not have. Only where a
    server looks at no bias are they sent to be read. vLLM 0.26 lets the first id after the
    vocabulary be read, and on a GPU its engine ends on it.

    Parameters
    ----------
    ask
        Sends a request for completions.
    read
        Has a token id read; raises InputError if it is refused.
    name, probe
        Of the served model, and what it can read.
    """

    def takes_bias(token: int) -> bool:
        # By nothing: where it is taken, it changes nothing.
        try:
            ask({**scoring_body(name, [probe]), "logit_bias": {str(token): 0.0}})
        except RequestRefusedError as error:
            # Whoever refuses any bias says nothing of the token.
            return wire.OUT_OF_VOCABULARY not in str(error)
        return True

    def reads(token: int) -> bool:
        try:
            read(token)
        except InputError:
            return False
        return True

    has = reads if takes_bias(MOST_TOKENS) else takes_bias
    taken, refused = 0, 1
    while has(refused):
        taken, refused = refused, 2 * refused
    while refused - taken > 1:
        middle = (taken + refused) // 2
        taken, refused = (middle, refused) if has(middle) else (taken, middle)
    return refused
