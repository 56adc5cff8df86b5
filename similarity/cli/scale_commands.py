"""`trajsim scales`: the scales that this user keeps; and what is said when one is kept."""

from typing import Any

import click
from rich.table import Table

from similarity.calibration import JUDGEMENTS, Calibration
from similarity.cli.notes import note
from similarity.cli.scale_check import check
from similarity.cli.tables import console, one_line
from similarity.cli.terminal import json_option, print_json
from similarity.known_scales import VARIABLE, KeptScale, forget_scale, keep_scale, kept_scales

# Of a scale that was kept before this was written into its file.
_UNKNOWN = "not known"


@click.group()
def scales() -> None:
    """Check scales of similarity, and list or forget those that you fitted.

    For each model, vectors, preset and settings, the scale that you fitted last is used.
    Without one, it is the scale that ships with the model, if one does.
    """


scales.add_command(check)


@scales.command("list")
@json_option
def list_scales(as_json: bool) -> None:
    """List the scales that `trajsim calibrate` keeps for you."""
    kept = kept_scales()
    if as_json:
        print_json({"scales": [_to_dict(scale) for scale in kept]})
        return
    if not kept:
        note("you keep no scale: trajsim calibrate fits one")
        return
    table = Table("name", "model", "compares by", "scale", "fitted to", "date", box=None)
    for scale in kept:
        content = _to_dict(scale)
        names = ("model", "compares", "scale", "fitted_to", "date")
        shown = ("damaged" if content["scale"] is None else content[name] for name in names)
        table.add_row(one_line(scale.name), *(one_line(value or _UNKNOWN) for value in shown))
    console().print(table)


@scales.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def forget(names: tuple[str, ...]) -> None:
    """Forget the scales of these NAMEs, as `trajsim scales list` shows them.

    A service that runs keeps the scale that it started with.
    """
    for name in dict.fromkeys(names):
        gone = forget_scale(name)
        content = _to_dict(gone)
        of = ", ".join(content[key] for key in ("model", "compares") if content[key])
        note(f"forgot {_described(gone)}" + (f", of {of}" if of else ""))


def keep_and_report(
    found: Calibration,
    model: str,
    compares: str,
    *,
    named: Calibration | None = None,
    shipped: Calibration | None = None,
) -> None:
    """Keep a scale for this user, and print what is in force now and what it replaces.

    Parameters
    ----------
    model, compares
        The model's name and the way of comparing, as a person knows them.
    named, shipped
        The scales that the environment names and that ship, where they are known.
    """
    kept, before = keep_scale(found, model, compares)
    if named is None:
        note(f"in force now for {model}, {compares}: your scale of {found.scale}")
    else:
        note(
            f"in force for {model}, {compares}: the scale of {named.scale} in the file that "
            f"{VARIABLE} names; unset it to use yours"
        )
    if before is not None:
        note(f"replaces {_described(before)}")
    elif shipped is not None:
        note(f"goes before the scale of {shipped.scale} that ships")
    note(f"kept in {kept.path}")
    note(f"to forget it: trajsim scales forget {kept.name}")


def _described(scale: KeptScale) -> str:
    content = _to_dict(scale)
    if content["scale"] is None:
        return f"the damaged {scale.path}"
    fitted = f", fitted {content['date']}" if content["date"] else ""
    return f"your scale of {content['scale']}{fitted}"


def _to_dict(scale: KeptScale) -> dict[str, Any]:
    """Return what a person knows a scale by, as plain values; all None of a damaged file."""
    found = scale.calibration
    whole = found if isinstance(found, Calibration) else None
    known_by = (whole.kept if whole else None) or {}
    return {
        "name": scale.name,
        "path": str(scale.path),
        **{name: known_by.get(name) for name in ("model", "compares", "date")},
        "scale": whole.scale if whole else None,
        "fitted_to": _source(whole) if whole else None,
    }


def _source(found: Calibration) -> str:
    record = found.fitted_on
    if found.scale != JUDGEMENTS:
        return f"{record['pairs']} texts"
    of = record.get("file") or ", ".join(record.get("tasks", ()))
    return f"{record['pairs']} judged pairs" + (f" of {of}" if of else "")
