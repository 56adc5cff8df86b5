"""Command-line options that the commands share, and how they become settings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
from click.core import ParameterSource

from similarity.cli.answers import cache_option, store_of
from similarity.cli.progress import progress_bars, working
from similarity.config import COMPARISON_SETTINGS, ComparisonConfig
from similarity.errors import ConfigError
from similarity.fields import Setting
from similarity.models.base import LanguageModel
from similarity.models.loader import DEVICES, DTYPES, LoadOptions, default_model, load_model
from similarity.models.memory import keep_large_buffers
from similarity.presets import PAPER, PRESETS
from similarity.prompts import Prompt
from similarity.scorer import Scorer
from similarity.scorers import ScoringRequest, planned_scorer
from similarity.storage.store import Store
from similarity.uncertainty import Tolerance

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class _TrajectoryOption(click.Option):
    """A setting of trajectories: to give one is to compare by trajectories."""


_trajectory_option = partial(click.option, cls=_TrajectoryOption)

# Short names, beside the long ones that every setting has.
_SHORT = {"n_trajectories": "-n", "max_tokens": "-m"}
# Beyond this a bound is that of the type, and tells a reader nothing.
_ANY = 2**31 - 1


def setting_option(told: Setting, cls: type[click.Option] = click.Option) -> Decorator:
    """Return the option of a setting; it arrives under the setting's name."""
    flag = "--" + told.name.replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}"] if told.type is bool else [flag]
    if told.name in _SHORT:
        names.append(_SHORT[told.name])
    return click.option(
        *names,
        cls=cls,
        type=_click_type(told),
        default=told.default,
        show_default=True,
        help=told.help,
    )


def _click_type(told: Setting) -> click.ParamType[Any]:
    if told.choices is not None:
        return click.Choice(told.choices)
    least, most = told.at_least, told.at_most
    if most is not None and most >= _ANY:
        most = None
    if told.type is float:
        return click.FloatRange(least, most)
    if told.type is int:
        return click.IntRange(
            None if least is None else int(least), None if most is None else int(most)
        )
    return click.BOOL if told.type is bool else click.STRING


_MODEL_OPTIONS = (
    click.option(
        "--model",
        "model_name",
        envvar="TRAJSIM_MODEL",
        default=default_model,
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

_COMPARISON_OPTIONS = (
    *(setting_option(told, _TrajectoryOption) for told in COMPARISON_SETTINGS.values()),
    _trajectory_option("--prompt-before", help="Put a prompt of your own before each text."),
    _trajectory_option("--prompt-after", help="Put a prompt of your own after each text."),
)

_PRESET_OPTIONS = (
    click.option(
        "--preset",
        type=click.Choice(list(PRESETS)),
        help="Compare in this way: "
        + "; ".join(f"'{name}' {preset.summary}" for name, preset in PRESETS.items())
        + ".  [default: meaning; paper where a setting of trajectories is given]",
    ),
    click.option(
        "--vectors",
        help="Compare by the vectors in a folder that `trajsim fit` made.  [default: those that "
        "ship with the model]",
    ),
    cache_option,
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
        help="Stop --tolerance at so many trajectories of each text.",
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
    options = LoadOptions(device=device, dtype=dtype)
    command = click.get_current_context(silent=True)
    if command is None:
        return load_model(model_name, options)
    with working(f"loading {model_name}"):
        model = load_model(model_name, options)
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
        For a value out of range, or a prompt's name beside one's own.
    """
    if prompt_before is None and prompt_after is None:
        return ComparisonConfig.build(prompt=prompt, full_stop=full_stop, **settings)
    if prompt != COMPARISON_SETTINGS["prompt"].default:
        raise ConfigError("--prompt and --prompt-before or --prompt-after exclude each other")
    own = Prompt(before=prompt_before or "", after=prompt_after or "", full_stop=full_stop)
    return ComparisonConfig.build(prompt=own, **settings)


def chosen_scorer(
    model: LanguageModel,
    preset: str | None,
    vectors: str | None,
    config: ComparisonConfig,
    tolerance: Tolerance | None = None,
    store: Store | None = None,
) -> Scorer:
    """Return the scorer that the options of the command being run ask for.

    To give a setting of trajectories is to ask for `paper`; a line on standard error says so.

    Parameters
    ----------
    store
        Where what the model computes is kept, if not where this user's machine keeps it.

    Raises
    ------
    ConfigError
        If another preset is asked for too, or it needs vectors and there are none for the model.
    """
    request = asked_scoring(preset, config, tolerance)
    store = store or store_of(model)
    with progress_bars() as progress:
        scorer, chosen = planned_scorer(model, request, vectors, store, progress)
    if chosen.note:
        click.echo(chosen.note, err=True)
    return scorer


def shortlist_and_judge(
    model: LanguageModel,
    preset: str | None,
    vectors: str | None,
    config: ComparisonConfig,
    store: Store | None = None,
) -> tuple[Scorer, Scorer]:
    """Return what finds pairs by meaning vectors, and what scores these again by trajectories.

    Parameters
    ----------
    config
        Of the trajectories.
    store
        Where what the model computes is kept; None is that of `chosen_scorer`.

    Raises
    ------
    ConfigError
        If the shortlist would not be by vectors.
    """
    store = store or store_of(model)
    by_vectors = ScoringRequest(preset=preset)
    with progress_bars() as progress:
        shortlist, plan = planned_scorer(model, by_vectors, vectors, store, progress)
        if not plan.by_vectors:
            raise ConfigError(
                f"--rerank takes its shortlist by meaning vectors, and preset {plan.preset} does "
                "not; give another preset, or leave --rerank out"
            )
        by_trajectories = ScoringRequest(preset=PAPER, config=config)
        judge, _ = planned_scorer(model, by_trajectories, None, store, progress)
    return shortlist, judge


def asked_scoring(
    preset: str | None, config: ComparisonConfig, tolerance: Tolerance | None = None
) -> ScoringRequest:
    """Return what the options of the command being run say of how to compare."""
    given = next(iter(_trajectory_options_given()), None)
    return ScoringRequest(preset=preset, config=config, given=given, tolerance=tolerance)


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
