"""The URLs of publishers: scheme, target, options. An unknown option is an error; secrets are never shown."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, get_origin
from urllib.parse import parse_qsl

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.hints import did_you_mean

T = TypeVar("T", bound=msgspec.Struct)


class PublisherURL(NamedTuple):
    """A URL in its parts.

    Attributes:
        text: as it may be shown: without user and password, and without options.
        target: what stands between ``://`` and the options, undecoded.
        options: names and values as written.
    """

    scheme: str
    target: str
    options: dict[str, str]

    @property
    def text(self) -> str:
        return f"{self.scheme}://{self.target.rpartition('@')[2]}"

    def __repr__(self) -> str:
        return f"PublisherURL({self.text!r}, options={sorted(self.options)})"


SEVERAL = frozenset({"topic"})
"""Options that Ceilometer's URLs may say several times; their values are joined by commas."""


class Options(msgspec.Struct, frozen=True):
    """Options of which some are secrets: no value is shown where tracebacks and debuggers show what they find."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}=...' for name in self.__struct_fields__)})"


def parse_url(url: str) -> PublisherURL:
    """Read *url*; an option without a value is `true`, as Ceilometer's `file:///out?json`.

    Raises:
        PublisherURLError: it has no scheme, or an option is written twice.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.isascii() or not scheme:
        shown = url.rpartition("@")[2].partition("?")[0]
        raise PublisherURLError(f"{shown!r} is no URL of a publisher, as sqlite:///events.db is")
    target, _, query = rest.partition("?")
    parts = query.split("&") if query else []
    if any("@" in part.partition("=")[0] for part in parts):
        raise PublisherURLError(f"{scheme}://...: the part before '@' has a '?', which is %3F there")
    if not all(part.partition("=")[0] for part in parts):
        raise PublisherURLError(f"{scheme}://...: an option has no name")
    pairs = [pair for part in parts for pair in parse_qsl(part if "=" in part else f"{part}=true", True)]
    options: dict[str, str] = {}
    for name, value in pairs:
        if name in options and name not in SEVERAL:
            raise PublisherURLError(f"{scheme}://...: the option {name} is written twice")
        options[name] = f"{options[name]},{value}" if name in options else value
    return PublisherURL(scheme.lower(), target, options)


def read_options(url: PublisherURL, options: type[T]) -> T:
    """Return the options of *url* as *options* declares them; one that is a dict is written `name.KEY=value`.

    Raises:
        PublisherURLError: an option is unknown or has a value it does not take.
    """
    fields = msgspec.structs.fields(options)
    many = [field.encode_name for field in fields if get_origin(field.type) is dict]
    known = [field.encode_name for field in fields if field.encode_name not in many]
    given: dict[str, Any] = {}
    for name, value in url.options.items():
        first, _, key = name.partition(".")
        if key and first in many:
            given.setdefault(first, {})[key] = value
        elif name in known:
            given[name] = value
        else:
            meant = did_you_mean(name, known)
            shown = ", ".join([*known, *(f"{one}.NAME" for one in many)])
            raise PublisherURLError(f"{url.text}: unknown option {name!r}{meant}, known are {shown or 'none'}")
    try:
        return msgspec.convert(given, options, strict=False)
    except msgspec.ValidationError as error:
        raise PublisherURLError(f"{url.text}: {error}") from None
