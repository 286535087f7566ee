"""URLs of publishers: what is wrong with one is said, and no secret that stands in it."""

from __future__ import annotations

import msgspec
import pytest

from eventdefs import PublisherURLError, open_publisher
from eventdefs.publishers import options_of, options_type
from eventdefs.publishers.urls import parse_url

WRONG = {
    "no scheme": ("user:s3cr3t@host/x", "'host/x' is no URL of a publisher, as sqlite:///events.db is"),
    "one slash": ("http:/user:s3cr3t@host/x?token=s3cr3t", "'host/x' is no URL of a publisher"),
    "a ? in a password": ("http://user:s3?cr3t@host/", "http://...: the part before '@' has a '?', which is %3F there"),
}


@pytest.mark.parametrize(("url", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_shows_no_secret(url: str, said: str) -> None:
    """A slip of the pen in a URL does not put its password in a log."""
    with pytest.raises(PublisherURLError) as caught:
        open_publisher(url)
    assert str(caught.value).startswith(said)
    assert "cr3t" not in str(caught.value)


SECRETS = {
    "http://user:s3cr3t@host/": (
        "token",
        "secret",
        "header.X",
        "query.key",
        "keystone.password",
        "proxy",
    ),
    "notifier://user:s3cr3t@host/": ("telemetry_secret",),
    "tcp://host": ("telemetry_secret",),
    "udp://host": ("telemetry_secret",),
    "elasticsearch://user:s3cr3t@host/": ("api_key",),
}


@pytest.mark.parametrize(("url", "names"), SECRETS.items(), ids=SECRETS)
def test_a_url_and_its_options_show_no_secret(url: str, names: tuple[str, ...]) -> None:
    """What tracebacks and debuggers show of a URL, and of what was read of it, is not what lets us in."""
    parsed = parse_url(f"{url}?" + "&".join(f"{name}=s3cr3t" for name in names))
    options = options_of(parsed)
    assert "s3cr3t" not in repr(parsed)
    assert "s3cr3t" not in repr(options)
    assert type(options) is options_type(parsed)
    assert isinstance(options, msgspec.Struct)


def test_topics_of_ceilometer() -> None:
    """Its notifier may be given several topics, one option each; any other option is written once."""
    assert parse_url("notifier://h/?topic=alarm.all&topic=event").options == {"topic": "alarm.all,event"}
    with pytest.raises(PublisherURLError, match="the option timeout is written twice"):
        parse_url("notifier://h/?timeout=1&timeout=2")
