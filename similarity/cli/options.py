"""Command-line options that the commands share, and how they become settings."""

from collections.abc import Callable, Collection, Sequence
from functools import partial, wraps
from typing import Any

import click
from click.core import ParameterSource

from similarity.cli.answers import cache_option
from similarity.cli.apart import note_folder
from similarity.cli.choices import ModelChoice, ScoringChoice
from similarity.cli.numbers import FINITE, FiniteRange
from similarity.cli.places import note_truncate
from similarity.cli.variables import MODEL_VARIABLE
from similarity.config import COMPARISON_SETTINGS, ComparisonConfig
from similarity.errors import ConfigError
from similarity.fields import Setting
from similarity.models.loader import DEVICES, DTYPES, default_model
from similarity.presets import PRESETS
from similarity.prompts import Prompt
from similarity.texts.truncation import REFUSE, TRUNCATIONS
from similarity.uncertainty import Tolerance

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


truncate_option = click.option(
    "--truncate",
    type=click.Choice(list(TRUNCATIONS)),
    default=REFUSE,
    show_default=True,
    callback=note_truncate,
    help="Cut texts that are too long for the model in this way: "
    + "; ".join(f"'{name}' {summary}" for name, summary in TRUNCATIONS.items())
    + ".",
)


class _TrajectoryOption(click.Option):
    """A setting of trajectories: to give one is to compare by trajectories."""


_trajectory_option = partial(click.option, cls=_TrajectoryOption)

# Short names, beside the long ones that every setting has.
_SHORT = {"n_trajectories": "-n", "max_tokens": "-m"}
# A bound of this or more is that of the type, and is of no use to a reader.
_ANY = 2**31 - 1


def setting_option(setting: Setting, cls: type[click.Option] = click.Option) -> Decorator:
    """Return the option of a setting; it arrives under the setting's name."""
    flag = "--" + setting.name.replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}"] if setting.type is bool else [flag]
    if setting.name in _SHORT:
        names.append(_SHORT[setting.name])
    return click.option(
        *names,
        cls=cls,
        type=_click_type(setting),
        default=setting.default,
        show_default=True,
        help=setting.help,
    )


def _click_type(setting: Setting) -> click.ParamType[Any]:
    if setting.choices is not None:
        return click.Choice(setting.choices)
    least, most = setting.at_least, setting.at_most
    if most is not None and most >= _ANY:
        most = None
    if setting.type is float:
        return FiniteRange(least, most)
    if setting.type is int:
        return click.IntRange(
            None if least is None else int(least), None if most is None else int(most)
        )
    return click.BOOL if setting.type is bool else click.STRING


_MODEL_OPTIONS = (
    click.option(
        "--model",
        "model_name",
        envvar=MODEL_VARIABLE,
        show_envvar=True,
        default=default_model,
        callback=note_folder,
        show_default="smollm2 where installed, else embedded",
        help="Use this model: 'smollm2', 'embedded', 'toy', a folder, a GGUF file, a hub id, a "
        "vLLM server's URL, or 'vllm:' and an id.",
    ),
    click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        help="Compute on this device; auto takes a GPU where there is one.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(DTYPES),
        default="auto",
        show_default=True,
        help="Compute in this precision; auto is float32 on a CPU, the model's own on a GPU; "
        "fastest measures whether bfloat16 is faster here, which moves scores a little.",
    ),
)

# The judgements that mean similarity 0 and 1.
ends_option = click.option(
    "--scale",
    "ends",
    type=(FINITE, FINITE),
    default=(0.0, 5.0),
    show_default=True,
    help="Map these two judgements to similarity 0 and 1.",
)

_COMPARISON_OPTIONS = (
    *(setting_option(each, _TrajectoryOption) for each in COMPARISON_SETTINGS.values()),
    _trajectory_option("--prompt-before", help="Put a prompt of your own before each text."),
    _trajectory_option("--prompt-after", help="Put a prompt of your own after each text."),
)

# Of the settings of trajectories, those that other methods of `trajsim eval` take too.
PROMPT_FLAGS = ("--prompt", "--full-stop", "--prompt-before", "--prompt-after")
_SETTINGS = (*COMPARISON_SETTINGS, "prompt_before", "prompt_after")

_PRESET_OPTIONS = (
    click.option(
        "--preset",
        type=click.Choice(list(PRESETS)),
        help="Compare by this preset. "
        + " ".join(f"'{name}' {preset.summary}." for name, preset in PRESETS.items())
        + "  [default: meaning; paper where a setting of trajectories is given]",
    ),
    click.option(
        "--vectors",
        callback=note_folder,
        help="Compare by the vectors in a folder that `trajsim fit` made.  [default: those that "
        "ship with the model]",
    ),
    truncate_option,
    cache_option,
)

_INTERVAL_OPTIONS = (
    _trajectory_option(
        "--interval",
        "confidence",
        type=FINITE,
        metavar="CONFIDENCE",
        help="Give the confidence interval of each score over trajectories, as of 0.95.",
    ),
    _trajectory_option(
        "--tolerance",
        type=FINITE,
        help="Double the trajectories until half the distance's interval is at most this.",
    ),
    _trajectory_option(
        "--max-trajectories",
        default=Tolerance.max_trajectories,
        show_default=True,
        help="Stop --tolerance at so many trajectories of each text.",
    ),
)


def model_options(command: Command) -> Command:
    """Add --model, --device and --dtype; they arrive as `choice`, a `ModelChoice`."""

    @wraps(command)
    def with_choice(*args: Any, model_name: str, device: str, dtype: str, **rest: Any) -> Any:
        return command(*args, choice=ModelChoice(model_name, device, dtype), **rest)

    return decorated(with_choice, _MODEL_OPTIONS)


def comparison_options(command: Command) -> Command:
    """Add the settings of a comparison; they arrive as `config`."""

    @wraps(command)
    def with_config(*args: Any, **given: Any) -> Any:
        config = _config(**{name: given.pop(name) for name in _SETTINGS})
        return command(*args, config=config, **given)

    return decorated(with_config, _COMPARISON_OPTIONS)


def scoring_options(command: Command) -> Command:
    """Add all that says how to compare; it arrives as `scoring`, a `ScoringChoice`."""

    @wraps(command)
    def with_scoring(
        *args: Any,
        preset: str | None,
        vectors: str | None,
        truncate: str,
        config: ComparisonConfig,
        **rest: Any,
    ) -> Any:
        given = next(iter(trajectory_options_given()), None)
        scoring = ScoringChoice(
            preset=preset, vectors=vectors, truncate=truncate, config=config, given=given
        )
        return command(*args, scoring=scoring, **rest)

    return decorated(comparison_options(with_scoring), _PRESET_OPTIONS)


def interval_options(command: Command) -> Command:
    """Add --interval (as `confidence`), --tolerance and --max-trajectories."""
    return decorated(command, _INTERVAL_OPTIONS)


def _config(
    *,
    prompt: str,
    prompt_before: str | None,
    prompt_after: str | None,
    full_stop: bool,
    **settings: Any,
) -> ComparisonConfig:
    if prompt_before is None and prompt_after is None:
        return ComparisonConfig.build(prompt=prompt, full_stop=full_stop, **settings)
    if prompt != COMPARISON_SETTINGS["prompt"].default:
        raise ConfigError("--prompt and --prompt-before or --prompt-after exclude each other")
    own = Prompt(before=prompt_before or "", after=prompt_after or "", full_stop=full_stop)
    return ComparisonConfig.build(prompt=own, **settings)


def refuse_trajectory_options(
    why: str, used: Collection[str] = (), remedy: str = "leave it out"
) -> None:
    """Refuse the settings of trajectories that the running command was given for nothing.

    Parameters
    ----------
    why
        What samples no trajectories, as a message has it.
    used
        Flags that have an effect all the same.
    remedy
        What to do.

    Raises
    ------
    ConfigError
        If there is one; it names the first.
    """
    for flag in trajectory_options_given():
        if flag not in used:
            raise ConfigError(f"{flag} is a setting of trajectories, and {why}; {remedy}")


def trajectory_options_given() -> list[str]:
    """Return the flags of the running command that set something of trajectories."""
    return [option.opts[0] for option in _given() if isinstance(option, _TrajectoryOption)]


def refuse_options(flags: Collection[str], why: str) -> None:
    """Refuse those of some options that the running command was given for nothing.

    Parameters
    ----------
    why
        What follows the flag in the message: what the option is of, and what to do.

    Raises
    ------
    ConfigError
        If there is one; it names the first.
    """
    for option in _given():
        if option.opts[0] in flags:
            raise ConfigError(f"{option.opts[0]} {why}")


def _given() -> list[click.Parameter]:
    """Return the options of the running command that are not left at their defaults."""
    command = click.get_current_context()
    return [
        option
        for option in command.command.params
        if command.get_parameter_source(option.name or "") is not ParameterSource.DEFAULT
    ]


def decorated(command: Command, options: Sequence[Decorator]) -> Command:
    """Return a command with options, the first of which help shows first."""
    for option in reversed(options):
        command = option(command)
    return command
