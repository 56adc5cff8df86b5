"""What a network is and can do, found by trying it on some tokens, not by a list of architectures.

A network whose numbers cannot be right is refused here, in words; what it cannot do quickly is
done slowly. What shows at greater lengths only is found in use (`verification`).
"""

import copy
import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from similarity.errors import WrongAnswerError
from similarity.models.checks import Check
from similarity.models.context import Lookups
from similarity.models.network import Network
from similarity.models.prepacked import Prepacked, can_prepack, prepacked_product

logger = logging.getLogger(__name__)

# Tokens of the prefix and of each of the two continuations that are tried after it.
PREFIX, CONTINUATION = 6, 3
SHORT, SHORTER = 5, 4
# In a reading, so many others are tried, between parts all over the network.
TRIED_PAUSES = 4
# Networks in half precision of at most so many weights are tried in single precision.
COPIED = 20_000_000
# Logits that spread by less show nothing. Those of random weights spread by 0.1 and more.
FLAT = 1e-4


@torch.inference_mode()
def try_network(network: Network) -> Iterator[Check]:
    """Try what a network can do, and set its `pads`, `caches`, `pads_state`, `packs`, `pauses`.

    Yields
    ------
    Check
        Of what was found; after one with an error nothing more is tried.
    """
    tried = _exact_copy(network)
    ids = probe_ids(tried)
    with Lookups(ids.shape[-1]) as lookups:
        plain = tried.read(ids)
    network.tables = lookups.sizes
    for tries in (_check_logits, _check_causal, _check_looks):
        check = tries(tried, ids, plain)
        yield check
        if check.error is not None:
            return
    tried.pads = _works("padding", lambda: _pads(tried, ids, plain))
    tried.pads_state = _works("a padded state", lambda: _continues(tried, ids, plain, SHORTER))
    tried.caches = tried.pads_state or _works(
        "a copied state", lambda: _continues(tried, ids, plain, PREFIX)
    )
    tried.packs = tried.caches and (
        tried.branches or _works("packing", lambda: _packs(tried, ids, plain))
    )
    network.pads, network.pads_state = tried.pads, tried.pads_state
    network.caches, network.packs = tried.caches, tried.packs
    network.pauses.work = network.device.type == "cpu" and _works(
        "pauses", lambda: _pauses(tried, ids, plain)
    )
    if not tried.caches:  # else a prefix has been read alone
        yield _check_alone(tried, ids, plain)
    yield Check("padding", "harmless" if tried.pads else "moves numbers: texts are read alone")
    yield Check("copied state", "continued" if tried.caches else "not continued: read again, slow")
    paused = "others are read in between" if network.pauses.work else "none"
    yield Check("pauses of long readings", paused)
    yield Check("packing", "by a block mask" if tried.packs else "none: one continuation at a time")


@torch.inference_mode()
def prepack(network: Network) -> Check:
    """Bring the weights of a network on a CPU into the order in which they are multiplied.

    The layers stay as they are where that moves a number by more than rounding does.
    """
    name, plainly = "weights", Check("weights", "in their plain order")
    if not can_prepack(network.module):
        return plainly
    ids, head = probe_ids(network), network.head
    plain = network.read(ids)
    prepacked = Prepacked(network.module, None if head is None else head.linear)

    def agree() -> bool:
        if head is not None:
            network.head = replace(head, product=prepacked_product(head.linear))
        # Sums in another order: each of two roundings may be as large as one is taken to be.
        return network.difference(_read_all(network, ids), plain) <= 2 * network.rounding

    if _works("order of weights", agree):
        return Check(name, "in the order of this processor's products")
    prepacked.undo()
    network.head = head
    return plainly


def _read_all(network: Network, ids: Tensor) -> Tensor:
    """Return the logits after every position, made by the head where it is known."""
    rows, places = (torch.arange(count, device=ids.device) for count in ids.shape)
    rows, places = (part.flatten() for part in torch.meshgrid(rows, places, indexing="ij"))
    states = network.states_at(ids, None, None, rows, places)
    if states is None or network.head is None:
        return network.read(ids)
    return network.head.logits(states).view(*ids.shape, -1)


def probe_ids(network: Network) -> Tensor:
    """Return two texts, shape "2 token", that differ in their last CONTINUATION tokens."""
    count = PREFIX + 2 * CONTINUATION
    ids = [(7919 * (i + 1)) % network.vocab_size for i in range(count)]
    prefix, first = ids[:PREFIX], ids[PREFIX : PREFIX + CONTINUATION]
    rows = [[*prefix, *first], [*prefix, *ids[PREFIX + CONTINUATION :]]]
    return torch.tensor(rows, device=network.device)


def _exact_copy(network: Network) -> Network:
    """Return the network itself, or a small one in single precision, where windows show."""
    count = sum(weight.numel() for weight in network.module.parameters())
    if network.exact or count > COPIED:
        return network
    try:
        exact = Network(copy.deepcopy(network.module).float())
        exact.read(probe_ids(exact))
    except Exception as error:  # some keep the type that they were loaded in
        logger.info("this network is tried as it is: %s", error)
        return network
    return exact


def _check_logits(network: Network, _ids: Tensor, plain: Tensor) -> Check:
    name = "logits are numbers"
    if plain.shape[-1] < network.vocab_size or not bool(plain.isfinite().all()):
        found = "some are not finite"
        error = WrongAnswerError(
            "the network's logits are not finite numbers; give another dtype, or another checkpoint"
        )
        return Check(name, found, error)
    spread = float(plain.float().std(-1).mean())
    if spread < FLAT:
        error = WrongAnswerError(
            f"the network finds all tokens alike likely (its logits spread by {spread:.2g}): its "
            "weights are damaged, or were never learnt; copy them again"
        )
        return Check(name, f"they spread by {spread:.2g}", error)
    return Check(name, f"they spread by {spread:.2g} over {plain.shape[-1]} tokens")


def _check_causal(network: Network, _ids: Tensor, plain: Tensor) -> Check:
    """Check that a difference in later tokens changes no earlier logits."""
    before = plain[:, :PREFIX]
    return _causal_check(network, network.difference(before[:1], before[1:]))


def _check_looks(network: Network, ids: Tensor, plain: Tensor) -> Check:
    """Check that a difference in earlier tokens changes the logits after one that is the same."""
    last = PREFIX - 1
    other = torch.cat([ids[1, PREFIX:], ids[0, PREFIX:]])[:last]
    moved = network.difference(
        network.read(torch.cat([other, ids[0, last:PREFIX]])[None])[:, last], plain[:1, last]
    )
    name, found = "looks back", f"earlier tokens move what follows by {moved:.1g} nats"
    # In half precision rounding is large beside what some networks see: there, nothing is little.
    if moved > (network.rounding if network.exact else 0.0):
        return Check(name, found)
    error = WrongAnswerError(
        f"the network sees no token but the last: {found}, as rounding does; its weights are "
        "damaged or were converted wrongly: copy or convert them again"
    )
    return Check(name, found, error)


def _check_alone(network: Network, ids: Tensor, plain: Tensor) -> Check:
    """Check that later tokens, or their number, change no earlier logits."""
    alone = network.read(ids[:1, :PREFIX])
    return _causal_check(network, network.difference(alone, plain[:1, :PREFIX]))


def _causal_check(network: Network, moved: float) -> Check:
    name, found = "causal", f"later tokens move earlier ones by {moved:.1g} nats"
    if moved <= network.rounding:
        return Check(name, found)
    error = WrongAnswerError(
        f"the network is not causal: {found}; give a causal language model, not an encoder or a "
        "network that reads in both directions"
    )
    return Check(name, found, error)


def _works(what: str, tried: Callable[[], bool]) -> bool:
    try:
        return tried()
    except Exception as error:  # each architecture refuses in a way of its own
        logger.info("no %s for this network: %s", what, error)
        return False


def _pads(network: Network, ids: Tensor, plain: Tensor) -> bool:
    """Try whether padding to the right is as good as absent."""
    rows, mask = ids[[0, 0]].clone(), torch.ones_like(ids)
    rows[1, SHORT:], mask[1, SHORT:] = 0, 0
    logits = network.read(rows, mask)
    return network.agree(logits[0], plain[0]) and network.agree(logits[1, :SHORT], plain[0, :SHORT])


def _continues(network: Network, ids: Tensor, plain: Tensor, second: int) -> bool:
    """Try whether continuing copied states gives the logits of reading everything.

    `second` is the length of the other prefix: padded to the left where it is shorter.
    """
    device, pad = network.device, PREFIX - second
    rows = torch.zeros((2, PREFIX), dtype=torch.long, device=device)
    rows[0], rows[1, pad:] = ids[0, :PREFIX], ids[0, :second]
    mask = torch.ones_like(rows)
    mask[1, :pad] = 0
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    logits, cache = network.start(rows, mask if pad else None, positions)
    ends = torch.tensor([PREFIX, second], device=device)
    agree = network.agree(logits, plain[0, ends - 1])

    # Twice the first, once the second; the first copy goes on with the other text.
    copies = torch.tensor([0, 0, 1], device=device)
    texts = torch.tensor([1, 0, 0], device=device)
    network.select(cache, copies)
    mask, ends = mask[copies], ends[copies]
    mask = torch.cat([mask, torch.ones_like(mask[:, :1])], -1)
    read = ids[texts, ends, None]
    logits = network.step(read, mask if pad else None, ends[:, None], cache)
    return agree and network.agree(logits, plain[texts, ends])


def _packs(network: Network, ids: Tensor, plain: Tensor) -> bool:
    """Try whether tokens hidden by a block mask are as good as absent."""
    row = torch.cat([ids[:1], ids[1:, PREFIX:]], -1)
    length = row.shape[-1]
    hidden = torch.ones(length, length, dtype=torch.bool, device=network.device).tril()
    second = PREFIX + CONTINUATION
    hidden[second:, PREFIX:second] = False
    steps = list(range(PREFIX + CONTINUATION))
    positions = torch.tensor([[*steps, *steps[PREFIX:]]], device=network.device)
    logits = network.read(row, network.block_mask(hidden[None]), positions)[0]
    return network.agree(logits[:second], plain[0]) and network.agree(
        logits[second:], plain[1, PREFIX:]
    )


def _pauses(network: Network, ids: Tensor, plain: Tensor) -> bool:
    """Try whether a reading in the middle of another changes the results of either."""
    if network.head is None or network.head.body is None:
        return False  # The states before such a head are caught on their way.
    found: list[Tensor] = []
    calls, apart = itertools.count(1), max(1, network.pauses.count // TRIED_PAUSES)

    def read_another() -> None:
        if next(calls) % apart == 0:
            found.append(network.read(ids[:, :SHORT]))

    with network.pauses.tried(), network.pauses.calling(read_another):
        around = network.read(ids)
    return bool(found) and all(
        network.agree(logits, expected)
        for logits, expected in [(around, plain), *((logits, plain[:, :SHORT]) for logits in found)]
    )
