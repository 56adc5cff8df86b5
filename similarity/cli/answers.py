"""Where a command keeps what a model computes, so that nothing is computed twice."""

from pathlib import Path

import click

from similarity.cli.notes import note
from similarity.errors import TrajsimError
from similarity.models.base import LanguageModel
from similarity.storage.sparing import SparingStore
from similarity.storage.store import Store
from similarity.storage.user_cache import VARIABLE, cache_folder

# Of a command's context: whether it may keep what the model computes.
_CACHED = "trajsim.cached"
TOY = "toy"
KEEP_VARIABLE = "TRAJSIM_KEEP_ANSWERS"

cache_option = click.option(
    "--cache/--no-cache",
    "cached",
    default=True,
    show_default=True,
    envvar=KEEP_VARIABLE,
    show_envvar=True,
    expose_value=False,
    callback=lambda context, _option, value: context.meta.update({_CACHED: value}),
    help="Keep what the model computes for the next time; see `trajsim cache`.",
)


def answers_path() -> Path:
    """Return the file where this user's machine keeps what models have answered."""
    return cache_folder("answers") / "answers.sqlite"


def store_of(model: LanguageModel) -> Store | None:
    """Return the store that the command being run may use, which is closed at its end."""
    command = click.get_current_context()
    # The toy model answers sooner than a disk does.
    if not command.meta.get(_CACHED) or model.info.name == TOY:
        return None
    try:
        store = SparingStore(answers_path(), _warn)
    except TrajsimError as error:
        _warn(error)
        return None
    command.call_on_close(store.close)
    return store


def _warn(error: TrajsimError) -> None:
    elsewhere = f"set {VARIABLE} to another folder, or give --no-cache"
    note(f"nothing is kept: {error}; or {elsewhere}")
