"""Where a command delivers to: publishers named by `--to`, by pipeline files, or by a settings file."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from eventdefs.errors import SettingsError
from eventdefs.pipeline import Route, load_pipeline
from eventdefs.pipeline.files import key_of


class Chosen(NamedTuple):
    """Where to deliver to.

    Attributes:
        lines: URLs of publishers, and what goes to each: None for everything.
        default_format: of those whose URL names none.
        dead_letters: where dead letters are kept.
        batch_items, batch_age: when a batch is published.
        warnings: about pipeline files, to be shown.
    """

    lines: list[tuple[str, Route | None]]
    default_format: str | None
    dead_letters: str | None
    batch_items: int
    batch_age: float | None
    warnings: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where to deliver to."""
    parser.add_argument(
        "--to",
        action="append",
        metavar="URL",
        help="a publisher, as sqlite:///events.db; may be given several times (default: stdout://)",
    )
    parser.add_argument(
        "--pipeline",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="pipeline files, as Ceilometer's event_pipeline.yaml and pipeline.yaml, that say what goes where",
    )
    parser.add_argument(
        "--skip-publishers",
        nargs="+",
        action="extend",
        metavar="SCHEME",
        help="leave these publishers out of pipeline files, as gnocchi",
    )
    parser.add_argument("--config", metavar="FILE", help="a settings file, as eventdefs.conf")


def choose(arguments: argparse.Namespace) -> Chosen:
    """Return what *arguments* say, each instead of what the settings file says.

    Raises:
        SettingsError: the settings file cannot be used, or two options that exclude one another are given.
        DefinitionErrors: a pipeline file cannot be used.
    """
    if arguments.to and arguments.pipeline:
        raise SettingsError("--to and --pipeline exclude one another: name the publisher in the pipeline")
    files, urls, skipped = arguments.pipeline or (), arguments.to or (), arguments.skip_publishers or ()
    default_format, dead_letters, items, age = None, None, 1000, None
    if arguments.config is not None:
        from eventdefs.settings import load_settings  # oslo.config takes longer than the rest of a command

        settings = load_settings(arguments.config)
        if not files and not urls:
            files, urls = settings.files, settings.publishers
        skipped = skipped or settings.skip_publishers
        default_format, dead_letters = settings.default_format, settings.dead_letters
        items, age = settings.batch_items, settings.batch_age
    lines: list[tuple[str, Route | None]] = [(url, None) for url in {key_of(url): url for url in urls}.values()]
    warnings: tuple[str, ...] = ()
    if files:
        pipeline = load_pipeline(*files, skip_publishers=skipped)
        everything = {key_of(url) for url, _ in lines}  # a publisher that is given all is not given some of it again
        lines += [(line.url, line.route) for line in pipeline.lines if key_of(line.url) not in everything]
        if not lines:
            raise SettingsError(f"no publisher is left of {', '.join(files)}: nothing would go anywhere")
        warnings = tuple(str(warning) for warning in pipeline.warnings)
    return Chosen(lines, default_format, dead_letters, items, age, warnings)
