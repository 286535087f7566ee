"""Draws hours: a line for each day on a terminal, or a picture by matplotlib."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from eventdefs.encode import one_line
from eventdefs.errors import LedgerError
from eventdefs.metering.reports import dimensions_text
from eventdefs.types import Usage

SHADES = "·▁▂▃▄▅▆▇█"
"""From nothing to a whole hour."""
MOST = 30
"""How many resources one picture has."""
_KINDS = (".png", ".svg", ".pdf")

Hours = dict[tuple[str, str], dict[datetime, dict[str, Decimal]]]
"""Seconds, by meter and resource, hour, and project and dimensions."""


def draw(usage: Sequence[Usage], file: str) -> int:
    """Draw *usage* to standard output, or to *file* where it names one; return the exit status."""
    if file and Path(file).suffix.lower() not in _KINDS:
        raise LedgerError(f"--plot {file}: expected a file that ends in {', '.join(_KINDS)}")
    hours: Hours = defaultdict(lambda: defaultdict(lambda: defaultdict(Decimal)))
    for record in usage:  # the last revision of each comes last
        group = f"{record.project_id or '-'} {dimensions_text(record.dimensions.items())}".strip()
        hours[record.meter, record.resource_id][record.period_start][group] = Decimal(record.seconds)
    if not hours:
        sys.stdout.write("no usage\n")
        return 0
    if file:
        _draw_picture(hours, file)
        sys.stdout.write(f"{file}: {min(len(hours), MOST):,} of {len(hours):,} resources\n")
    else:
        _draw_text(hours)
    return 0


def _draw_text(hours: Hours) -> None:
    for (meter, resource_id), by_hour in sorted(hours.items()):
        sys.stdout.write(f"{one_line(meter)} of {one_line(resource_id)}\n            0     6     12    18\n")
        seconds = {hour: sum(groups.values(), Decimal()) for hour, groups in by_hour.items()}
        day = min(seconds).replace(hour=0)
        while day <= max(seconds):
            values = [seconds.get(day + timedelta(hours=number), Decimal()) for number in range(24)]
            bar = "".join(_shade(value) for value in values)
            sys.stdout.write(f"{day:%Y-%m-%d}  {bar}  {sum(values) / 3600:7.3f} h\n")
            day += timedelta(days=1)


def _shade(seconds: Decimal) -> str:
    if not seconds:
        return SHADES[0]
    return SHADES[max(1, min(8, int(seconds * 8 / 3600)))]


def _draw_picture(hours: Hours, file: str) -> None:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise LedgerError("--plot FILE needs matplotlib: pip install 'eventdefs[plot]'") from error
    mpl.use("agg")
    from matplotlib import pyplot

    shown = sorted(hours.items())[:MOST]
    figure, axes = pyplot.subplots(
        len(shown), 1, figsize=(12, 1.2 + 1.6 * len(shown)), sharex=True, squeeze=False, layout="constrained"
    )
    groups = sorted({group for _, by_hour in shown for one in by_hour.values() for group in one})
    colors = {group: f"C{number % 10}" for number, group in enumerate(groups)}
    for axis, ((meter, resource_id), by_hour) in zip(axes[:, 0], shown, strict=True):
        _draw_bars(axis, by_hour, colors)
        axis.set_title(one_line(f"{meter} of {resource_id}"), loc="left", fontsize=9, parse_math=False)
    handles = [mpl.patches.Patch(color=color, label=one_line(group)) for group, color in colors.items()]
    legend = figure.legend(handles=handles, loc="outside lower left", fontsize=8, ncols=2)
    for text in legend.get_texts():
        text.set_parse_math(False)
    try:
        figure.savefig(file)
    except OSError as error:
        raise LedgerError(f"--plot {file}: {error.strerror}") from error
    finally:
        pyplot.close(figure)


def _draw_bars(axis: Any, by_hour: dict[datetime, dict[str, Decimal]], colors: dict[str, str]) -> None:
    for hour, groups in by_hour.items():
        bottom = 0.0
        for group, seconds in sorted(groups.items()):
            minutes = float(seconds) / 60
            axis.bar(hour, minutes, 1 / 24, bottom, align="edge", color=colors[group], linewidth=0)
            bottom += minutes
    axis.set_ylim(0, 60)
    axis.set_yticks((0, 30, 60))
    axis.set_ylabel("minutes", fontsize=8)
    axis.tick_params(labelsize=8)
