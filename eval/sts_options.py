"""The methods of `trajsim eval sts`, and the options that those of a run have no use for."""

from collections.abc import Set as AbstractSet

from eval.methods.baselines import BASELINES, PROMPTEOL_METHOD, UNPROMPTED, WHITENINGS
from eval.methods.scorers import (
    DOMAIN_METHODS,
    ESTIMATOR_METHODS,
    PROMPT_METHODS,
    VECTOR_METHODS,
)
from similarity.cli.options import (
    PROMPT_FLAGS,
    refuse_options,
    refuse_trajectory_options,
    trajectory_options_given,
)
from similarity.errors import ConfigError
from similarity.estimators.table import ESTIMATORS

# Beside the run's own trajectories, what samples some by its settings.
SAMPLED = {**PROMPT_METHODS, **ESTIMATOR_METHODS}
# By name: the baselines, which are in every table unless left out, and the library's other ways.
METHODS = {**BASELINES, **PROMPT_METHODS, **VECTOR_METHODS, **ESTIMATOR_METHODS}
# Of those, what is fitted to unlabelled texts.
FITTED_TO_TEXTS = (
    *WHITENINGS,
    "tf-idf",
    *DOMAIN_METHODS,
    *(name for name, estimator in ESTIMATORS.items() if estimator.needs_bank),
)
_FULL_STOP = "--full-stop"


def refuse_unused(
    sampled: bool, others: AbstractSet[str], seeds: str | None, log_likelihoods: bool
) -> None:
    """Refuse what would be of no effect, as no method samples, keeps or takes what it is of.

    Parameters
    ----------
    sampled
        Whether the run has trajectories of its own.
    others
        The names of all other methods.
    seeds, log_likelihoods
        As the command was given them.

    Raises
    ------
    ConfigError
        If there is such an option; it names the first.
    """
    if seeds is not None and not sampled:
        raise ConfigError("--no-trajectories leaves --seeds nothing to sample; leave one out")
    samples = bool(others & SAMPLED.keys())
    if not sampled:
        used = [flag for flag in trajectory_options_given() if _is_used(flag, others)]
        why = (
            "the methods that sample some have their own"
            if samples
            else "--no-trajectories leaves none to sample"
        )
        refuse_trajectory_options(why, used)
    if not samples:
        if not sampled and log_likelihoods:
            raise ConfigError(
                "--no-trajectories leaves --log-likelihoods nothing to keep; leave one out"
            )
        if seeds is not None and "--seed" in trajectory_options_given():
            raise ConfigError("--seed and --seeds exclude each other; leave one out")
    if others.isdisjoint(FITTED_TO_TEXTS):
        refuse_options(
            ["--unlabelled"],
            "is of methods that are fitted to such texts, and none of this run is; leave it out, "
            f"or give a --method of {', '.join(map(repr, FITTED_TO_TEXTS))}",
        )


def _is_used(flag: str, others: AbstractSet[str]) -> bool:
    return any(_takes(method, flag) for method in others)


def _takes(method: str, flag: str) -> bool:
    """Return whether a setting of trajectories changes the scores of a method."""
    if method in PROMPT_METHODS:
        return flag == _FULL_STOP or flag not in PROMPT_FLAGS
    if method in ESTIMATOR_METHODS:
        return flag != "--distance"
    if method == PROMPTEOL_METHOD:
        return flag == _FULL_STOP
    return method in BASELINES and method not in UNPROMPTED and flag in PROMPT_FLAGS
