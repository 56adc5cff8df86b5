"""Command-line options that the commands share, and how they become settings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
from click.core import ParameterSource

from similarity.config import ComparisonConfig
from similarity.distances import DISTANCES
from similarity.errors import ConfigError
from similarity.models.base import LanguageModel
from similarity.models.loader import DEFAULT_MODEL, DEVICES, DTYPES, LoadOptions, load_model
from similarity.models.memory import keep_large_buffers
from similarity.presets import PAPER, PRESETS, open_scorer
from similarity.prompts import PROMPTS, Prompt
from similarity.scorers import Scorer, TrajectoryScorer
from similarity.uncertainty import Tolerance

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class _TrajectoryOption(click.Option):
    """A setting of trajectories: to give one is to compare by trajectories."""


_trajectory_option = partial(click.option, cls=_TrajectoryOption)

_MODEL_OPTIONS = (
    click.option(
        "--model",
        "model_name",
        default=DEFAULT_MODEL,
        show_default=True,
        help="'embedded', 'toy', a folder, a hub id, a vLLM server's URL, or 'vllm:' and an id.",
    ),
    click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True),
    click.option(
        "--dtype",
        type=click.Choice(DTYPES),
        default="auto",
        show_default=True,
        help="Of the arithmetic: auto is float32 on a CPU, the model's own on a GPU.",
    ),
)

_COMPARISON_OPTIONS = (
    _trajectory_option(
        "--n-trajectories",
        "-n",
        default=20,
        show_default=True,
        help="Continuations sampled from each text.",
    ),
    _trajectory_option(
        "--max-tokens",
        "-m",
        default=20,
        show_default=True,
        help="Tokens of a continuation, at most.",
    ),
    _trajectory_option("--temperature", default=1.0, show_default=True, help="Divides the logits."),
    _trajectory_option("--top-k", default=0, show_default=True, help="Keep k tokens; 0 keeps all."),
    _trajectory_option(
        "--top-p", default=1.0, show_default=True, help="Keep this mass; 1 keeps all."
    ),
    _trajectory_option(
        "--score-law",
        type=click.Choice(["sampling", "model"]),
        default="sampling",
        show_default=True,
        help="Score under the law sampled from, or under the model as it is.",
    ),
    _trajectory_option(
        "--prompt",
        type=click.Choice(list(PROMPTS)),
        default="none",
        show_default=True,
        help="A prompt of the paper around each text.",
    ),
    _trajectory_option(
        "--prompt-before", default=None, help="A prompt of your own, before the text."
    ),
    _trajectory_option(
        "--prompt-after", default=None, help="A prompt of your own, after the text."
    ),
    _trajectory_option(
        "--full-stop/--no-full-stop",
        default=True,
        show_default=True,
        help="End each text in punctuation.",
    ),
    _trajectory_option(
        "--distance",
        type=click.Choice(list(DISTANCES)),
        default="l1",
        show_default=True,
        help="Between the two texts' log-likelihoods.",
    ),
    _trajectory_option("--seed", default=0, show_default=True, help="Of the run."),
)

_PRESET_OPTIONS = (
    click.option(
        "--preset",
        type=click.Choice(PRESETS),
        help="How to compare: 'paper' by trajectories, as the settings of trajectories say; 'best' "
        "by meaning vectors, 'fast' by the cheapest part of them.  [default: best where there are "
        "vectors for the model and no setting of trajectories is given, else paper]",
    ),
    click.option(
        "--vectors",
        default=None,
        help="A folder that `trajsim fit` made.  [default: those that ship with the model]",
    ),
)

_INTERVAL_OPTIONS = (
    _trajectory_option(
        "--interval",
        "confidence",
        type=float,
        metavar="CONFIDENCE",
        help="Tell the scores' confidence interval over trajectories, as of 0.95.",
    ),
    _trajectory_option(
        "--tolerance",
        type=float,
        help="Double the trajectories until half the distance's interval is at most this.",
    ),
    _trajectory_option(
        "--max-trajectories",
        default=Tolerance.max_trajectories,
        show_default=True,
        help="Of each text, where --tolerance asks for more and more.",
    ),
)


def model_options(command: Command) -> Command:
    """Add --model, --device and --dtype; they arrive as `model_name`, `device` and `dtype`."""
    return _decorated(command, _MODEL_OPTIONS)


def comparison_options(command: Command) -> Command:
    """Add the settings of a comparison; take them as `**settings` for `comparison_config`."""
    return _decorated(command, _COMPARISON_OPTIONS)


def preset_options(command: Command) -> Command:
    """Add --preset and --vectors; they arrive as `preset` and `vectors` for `chosen_scorer`."""
    return _decorated(command, _PRESET_OPTIONS)


def interval_options(command: Command) -> Command:
    """Add --interval (as `confidence`), --tolerance and --max-trajectories."""
    return _decorated(command, _INTERVAL_OPTIONS)


def open_model(model_name: str, device: str, dtype: str) -> LanguageModel:
    """Load the model that the options of `model_options` name, for a program of its own.

    It is closed at the end of the command, if this is called in one.
    """
    keep_large_buffers()
    model = load_model(model_name, LoadOptions(device=device, dtype=dtype))
    command = click.get_current_context(silent=True)
    if command is not None:
        command.call_on_close(model.close)
    return model


def comparison_config(
    *,
    prompt: str,
    prompt_before: str | None,
    prompt_after: str | None,
    full_stop: bool,
    **settings: Any,
) -> ComparisonConfig:
    """Return the settings that the options of `comparison_options` give.

    Raises
    ------
    ConfigError
        For a value out of range, or a prompt of the paper beside one's own.
    """
    if prompt_before is None and prompt_after is None:
        return ComparisonConfig.build(prompt=prompt, full_stop=full_stop, **settings)
    if prompt != "none":
        raise ConfigError("--prompt and --prompt-before or --prompt-after exclude each other")
    own = Prompt(before=prompt_before or "", after=prompt_after or "", full_stop=full_stop)
    return ComparisonConfig.build(prompt=own, **settings)


def chosen_scorer(
    model: LanguageModel,
    preset: str | None,
    vectors: str | None,
    config: ComparisonConfig,
    tolerance: Tolerance | None = None,
) -> Scorer:
    """Return the way to compare texts that the options of the command being run ask for.

    To give a setting of trajectories is to ask for `paper`.

    Raises
    ------
    ConfigError
        If another preset is asked for too.
    UnsupportedError
        If the preset needs vectors and none ship with the model.
    """
    given = _trajectory_options_given()
    if preset == PAPER and vectors is not None:
        raise ConfigError("--preset paper compares without vectors; leave --vectors out")
    if given and (vectors is not None or preset not in (None, PAPER)):
        raise ConfigError(
            f"{given[0]} is a setting of trajectories, and you compare by meaning vectors; leave "
            "it out, or --preset and --vectors"
        )
    if given or preset == PAPER:
        return TrajectoryScorer(model, config, tolerance)
    return open_scorer(model, preset, config, vectors)


def _trajectory_options_given() -> list[str]:
    """Return the flags of the running command that set something of trajectories."""
    command = click.get_current_context()
    return [
        option.opts[0]
        for option in command.command.params
        if isinstance(option, _TrajectoryOption)
        and command.get_parameter_source(option.name or "") is not ParameterSource.DEFAULT
    ]


def _decorated(command: Command, options: Sequence[Decorator]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
