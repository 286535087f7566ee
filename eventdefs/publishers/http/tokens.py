"""What lets us in: a header that stays, a token in a file, a token of Keystone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from eventdefs.errors import AccessDeniedError, PublisherURLError, RetryableDeliveryError


class Credentials(Protocol):
    """Gives the headers that let a post in."""

    def headers(self) -> Mapping[str, str]:
        """Return them as they are now.

        Raises:
            RetryableDeliveryError: they cannot be had now.
        """

    def renew(self) -> bool:
        """Let go of those that were refused; return whether there can be others."""

    def secrets(self) -> Iterable[str]:
        """Return what nobody may see."""


class Fixed:
    """Headers that stay."""

    def __init__(self, headers: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
        self._headers = headers
        self._secrets = tuple(secrets)

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def renew(self) -> bool:
        return False

    def secrets(self) -> Iterable[str]:
        return (*self._secrets, *self._headers.values())


class TokenFile:
    """A bearer token in a file, which is read for every post: somebody else renews it."""

    def __init__(self, path: Path) -> None:
        """Read *path* for the first time.

        Raises:
            PublisherURLError: there is no token in it.
        """
        self._path = path
        self._token = ""
        try:
            self.headers()
        except RetryableDeliveryError as error:
            raise PublisherURLError(str(error)) from error

    def headers(self) -> Mapping[str, str]:
        try:
            self._token = self._path.read_text().strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise RetryableDeliveryError(f"token_file {self._path} cannot be read: {why}") from error
        if not self._token or not self._token.isascii() or not self._token.isprintable():
            raise RetryableDeliveryError(f"token_file {self._path} holds no token")
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        return False

    def secrets(self) -> Iterable[str]:
        return (self._token,)


class Keystone:
    """A token of Keystone, had when it is first needed, and again before it ends or when it is refused."""

    def __init__(
        self, options: Mapping[str, Any], *, verify: bool | str, cert: str | tuple[str, str] | None, timeout: float
    ) -> None:
        """Read *options*: those of one of keystoneauth's plugins, and `auth_type`, which names it.

        Raises:
            PublisherURLError: keystoneauth1 is not installed, or an option is unknown or missing.
        """
        try:
            from keystoneauth1 import exceptions, loading, session
        except ImportError as error:
            raise PublisherURLError("tokens of Keystone need pip install eventdefs[keystone]") from error
        given = dict(options)
        kind = str(given.pop("auth_type", "password"))
        try:
            loader: Any = loading.get_plugin_loader(kind)
        except exceptions.NoMatchingPlugin as error:
            raise PublisherURLError(f"keystone.auth_type: {kind!r} is no plugin of keystoneauth") from error
        known = {option.dest: option for option in loader.get_options()}
        for name in given:
            if name not in known:
                raise PublisherURLError(f"unknown option 'keystone.{name}', known are {', '.join(sorted(known))}")
        self._secrets = tuple(str(given[name]) for name in given if known[name].secret)
        if "@" in str(given.get("auth_url", "")):  # keystoneauth logs it as it is
            raise PublisherURLError("keystone.auth_url has a user or password in it; they are options of their own")
        self._where = shown_url(str(given.get("auth_url", "")))
        try:
            self._plugin: Any = loader.load_from_options(**given)
        except exceptions.MissingRequiredOptions as error:
            missing = ", ".join(f"keystone.{option.dest}" for option in error.options)
            raise PublisherURLError(f"Keystone's {kind} needs {missing}") from error
        except exceptions.ClientException as error:
            raise PublisherURLError(f"keystone.auth_type={kind}: {error}") from error
        self._exceptions: Any = exceptions
        # The session does not know the plugin: it would ask it for a token while it is about to get one, and hang.
        self._session: Any = session.Session(verify=verify, cert=cert, timeout=timeout)
        self._token = ""

    def headers(self) -> Mapping[str, str]:
        refusals = (
            self._exceptions.Unauthorized,
            self._exceptions.Forbidden,
            self._exceptions.MissingAuthPlugin,
            self._exceptions.AuthorizationFailure,
        )
        try:
            found: Mapping[str, str] = self._plugin.get_headers(self._session) or {}
        except refusals as error:  # The causes quote what Keystone answered, which may repeat the password.
            raise AccessDeniedError(f"Keystone at {self._where} gives no token: {self._said(error)}") from None
        except self._exceptions.ClientException as error:
            raise RetryableDeliveryError(f"Keystone at {self._where}: {self._said(error)}") from None
        except (KeyError, TypeError, ValueError, AttributeError):  # so keystoneauth reads what is no token
            self._plugin.invalidate()
            raise RetryableDeliveryError(f"Keystone at {self._where}: its answer has no token we can read") from None
        self._token = found.get("X-Auth-Token", "")
        return found

    def _said(self, error: Exception) -> str:
        status = getattr(error, "http_status", None)
        if isinstance(error, self._exceptions.MissingAuthPlugin):
            return "it answers 401"
        if isinstance(error, self._exceptions.ConnectTimeout):
            return "no answer in time"
        if isinstance(error, self._exceptions.SSLError):
            return "its certificate is not trusted, or has expired"
        if isinstance(error, self._exceptions.ConnectFailure):
            return "no connection"
        return f"it answers {status}" if status else type(error).__name__

    def renew(self) -> bool:
        return bool(self._plugin.invalidate())

    def secrets(self) -> Iterable[str]:
        return (*self._secrets, self._token)

    def close(self) -> None:
        self._session.session.close()


def shown_url(url: str) -> str:
    """Return *url* without user, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def read_cloud(name: str) -> dict[str, Any]:
    """Return what `clouds.yaml` says of the cloud *name*, with what `secure.yaml` beside it adds.

    The file is the one that OS_CLIENT_CONFIG_FILE names, else the first of those in the current folder, in
    ``~/.config/openstack`` and in ``/etc/openstack``.

    Raises:
        PublisherURLError: there is no such file, it cannot be read, or it has no such cloud.
    """
    path = _clouds_file()
    cloud = _clouds(path).get(name)
    if not isinstance(cloud, dict):
        raise PublisherURLError(f"{path} has no cloud {name!r}, known are {', '.join(map(str, _clouds(path)))}")
    secure = path.with_name("secure.yaml")
    if secure.is_file():
        more = _clouds(secure).get(name)
        return _merged(cloud, more) if isinstance(more, dict) else cloud
    return cloud


def _clouds_file() -> Path:
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    folders = (Path(), Path("~/.config/openstack").expanduser(), Path("/etc/openstack"))
    places = [Path(named)] if named else [folder / "clouds.yaml" for folder in folders]
    for place in places:
        if place.is_file():
            return place
    raise PublisherURLError(f"cloud: there is no {' and no '.join(map(str, places))}")


def _clouds(path: Path) -> dict[str, Any]:
    import yaml

    try:
        read = yaml.safe_load(path.read_text())
    except OSError as error:
        raise PublisherURLError(f"cloud: {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeError) as error:  # its text may quote a secret
        raise PublisherURLError(f"cloud: {path} is no YAML") from error
    clouds = read.get("clouds") if isinstance(read, dict) else None
    return clouds if isinstance(clouds, dict) else {}


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return *one* with what *other* has besides or instead, at any depth."""
    both = {name: (one[name], other[name]) for name in other if name in one}
    deep = {name: _merged(*pair) for name, pair in both.items() if all(isinstance(each, dict) for each in pair)}
    return {**one, **other, **deep}
