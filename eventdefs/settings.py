"""Settings of services and commands: `eventdefs.conf`, read through oslo.config as OpenStack's services read theirs.

Sections of others (`oslo_messaging_rabbit`, `keystone_authtoken`) may stand in the same file; in ours an option that
is not known is an error.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from oslo_config import cfg, iniparser

from eventdefs.errors import SettingsError
from eventdefs.hints import did_you_mean
from eventdefs.pipeline.files import starred
from eventdefs.publishers.formats import FORMATS

OPTIONS: dict[str, list[Any]] = {
    "pipeline": [
        cfg.MultiStrOpt(
            "file",
            default=[],
            help="A pipeline file: sources, sinks and the URLs of publishers. May be given several times.",
        ),
        cfg.MultiStrOpt(
            "publisher",
            default=[],
            help="The URL of a publisher that is given everything. May be given several times.",
        ),
        cfg.ListOpt(
            "skip_publishers",
            default=[],
            help="Schemes of publishers that are left out of pipeline files, as gnocchi.",
        ),
        cfg.StrOpt(
            "default_format",
            choices=list(FORMATS),
            help="The format of publishers whose URL names none: native, ceilometer, cloudevents or monasca.",
        ),
        cfg.StrOpt(
            "dead_letters",
            help="Where dead letters are kept: a file, or the URL of a SQL database or of a Kafka topic.",
        ),
        cfg.IntOpt("batch_items", default=1000, min=1, help="How many events and samples are published together."),
        cfg.FloatOpt(
            "batch_age", min=0.001, max=86400, help="Seconds after which a batch is published that is not full."
        ),
    ],
}
"""The options of each section."""


class Settings(NamedTuple):
    """What a settings file says of the pipeline; the attributes are its options.

    Attributes:
        files: pipeline files.
        publishers: URLs of publishers that are given everything.
        skip_publishers: schemes that are left out of pipeline files.
        default_format: of publishers whose URL names none.
        dead_letters: where dead letters are kept.
        batch_items, batch_age: when a batch is published.
    """

    files: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    skip_publishers: tuple[str, ...] = ()
    default_format: str | None = None
    dead_letters: str | None = None
    batch_items: int = 1000
    batch_age: float | None = None


def load_settings(path: str) -> Settings:
    """Read the settings file *path*.

    Raises:
        SettingsError: it cannot be read, or says what cannot be.
    """
    conf = cfg.ConfigOpts()
    for section, options in OPTIONS.items():
        conf.register_opts(options, section)
    try:
        _refuse_unknown(path)
        conf([], project="eventdefs", default_config_files=[path], default_config_dirs=[])
        found = {option.name: _value(conf, option.name) for option in OPTIONS["pipeline"]}
        if found["batch_age"] is not None and math.isnan(found["batch_age"]):
            raise SettingsError(f"{path}: batch_age is nan, expected 0.001 to 86400")
        return Settings(
            tuple(found["file"]),
            tuple(found["publisher"]),
            tuple(found["skip_publishers"]),
            found["default_format"],
            found["dead_letters"],
            found["batch_items"],
            found["batch_age"],
        )
    except (cfg.Error, iniparser.ParseError) as error:
        raise SettingsError(f"{path}: {starred(' '.join(str(error).split()))}") from None  # which has the line
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _value(conf: Any, name: str) -> Any:
    """Return an option; a `$` that names another is replaced, and one that names nothing may be in a password."""
    try:
        return conf.pipeline[name]
    except (cfg.NoSuchOptError, cfg.TemplateSubstitutionError):
        raise cfg.Error(f"{name}: a $ is written $$") from None


def _refuse_unknown(path: str) -> None:
    sections: dict[str, dict[str, list[str]]] = {}
    with open(path, encoding="utf-8") as stream:
        stream.read(1)  # oslo.config says of a file that cannot be read only that it was not found
    cfg.ConfigParser(path, sections).parse()
    for section, options in OPTIONS.items():
        known = [option.name for option in options]
        for name in sections.get(section, {}):
            if name not in known:
                meant = did_you_mean(name, known)
                raise SettingsError(f"{path}: [{section}] has no option {name}{meant}, known are {', '.join(known)}")


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options by section, for `oslo-config-generator --namespace eventdefs`."""
    return list(OPTIONS.items())
