"""`sparkform calibration`: show, add to, share or remove what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sparkform.commands import calibration_file, options
from sparkform.commands.json_output import print_json
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.errors import InputError, Problem
from sparkform.sizing.rack_calibration import MeasuredSpeed, RackFit, fit_classes

NUMBERS = ("measurements", "lowest", "highest", "error")
HEADINGS = ("hardware", "engine", "build", "quantisation", *NUMBERS)
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """A class. `lowest` and `highest`: measured over predicted. `leave_one_out_error`: the median
    of predicting each measurement by the others."""

    hardware: str
    engine: str
    build: str
    quantisation: str
    measurements: int
    lowest: float
    highest: float
    leave_one_out_error: float | None


def run(
    add: Annotated[
        list[Path] | None, typer.Option(help="Take these result folders or shared files.")
    ] = None,
    share: Annotated[
        Path | None, typer.Option(help="Write an anonymous file that others can add.")
    ] = None,
    remove: Annotated[
        str | None, typer.Option(help="Remove a build's measurements, or all.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """`predict` names what it takes from here; published figures stay as they are."""
    measured = calibration_file.load_measured() if remove != ALL else ()
    if remove is not None:
        measured = remove_build(measured, remove)
        calibration_file.save_measured(measured)
    if add:
        measured = calibration_file.add_measured(
            each for path in add for each in read_measured(path)
        )
    if share is not None:
        calibration_file.save_measured(anonymize(measured), share)
    reports = [build_report(fit) for fit in fit_classes(measured).values()]
    if as_json:
        print_json(reports)
    else:
        print_reports(reports)


def remove_build(measured: Sequence[MeasuredSpeed], build: str) -> tuple[MeasuredSpeed, ...]:
    """Raises InputError where nothing was measured of it."""
    builds = sorted({each.build for each in measured})
    if build != ALL and build not in builds:
        allowed = ", ".join([*builds, ALL])
        problem = Problem(path="--remove", message="is not known", got=build, allowed=allowed)
        raise InputError([problem])
    return tuple(each for each in measured if build not in (ALL, each.build))


def read_measured(path: Path) -> tuple[MeasuredSpeed, ...]:
    """Of a result folder, or of a file that somebody shares. Raises InputError."""
    from sparkform.bench.calibrating import list_measured
    from sparkform.commands.bench.folder import load_result

    if path.is_dir():
        measured = list_measured(load_result(path))
        message = "holds nothing to learn from: it is marked, or its model is not known"
    else:
        measured = calibration_file.load_measured(path)
        message = "is no file, or an empty one"
    if not measured:
        raise InputError([Problem(path=str(path), message=message)])
    return measured


def anonymize(measured: Sequence[MeasuredSpeed]) -> tuple[MeasuredSpeed, ...]:
    """The day instead of the second; a model of the user's own loses its path."""
    day_s = 86_400
    return tuple(
        each.model_copy(
            update={
                "measured_unix_s": each.measured_unix_s // day_s * day_s,
                "model": "local" if each.model.startswith("/") else each.model,
            }
        )
        for each in measured
    )


def build_report(fit: RackFit) -> CalibrationReport:
    return CalibrationReport(
        **fit.calibration_class._asdict(),
        measurements=fit.count,
        lowest=round(fit.spread[0], 3),
        highest=round(fit.spread[1], 3),
        leave_one_out_error=fit.leave_one_out,
    )


def print_reports(reports: Sequence[CalibrationReport]) -> None:
    screen = create_console()
    if not reports:
        screen.print("nothing was measured yet: `sparkform bench STACK.yaml --calibrate`")
        return
    title = "measured over predicted, and the error of each measurement by the others"
    rows = create_table(title, *HEADINGS, numbers=NUMBERS)
    for each in reports:
        error = each.leave_one_out_error
        add_row(
            rows,
            each.hardware,
            each.engine,
            each.build,
            each.quantisation,
            each.measurements,
            f"{each.lowest:.2f}",
            f"{each.highest:.2f}",
            "unknown" if error is None else f"{error:.1%}",
        )
    screen.print(rows)
