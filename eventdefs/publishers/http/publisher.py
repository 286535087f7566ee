"""The publisher of `http://` and `https://`: its options, and posts made of batches."""

from __future__ import annotations

import base64
import gzip
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote, unquote, urlencode

import msgspec
from urllib3.util import parse_url

from eventdefs.encode import UNWRITABLE, write_json
from eventdefs.errors import (
    AccessDeniedError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers import Batch, BatchLimits, Delivered, PublisherURL
from eventdefs.publishers.formats import FORMATS, Format, FormatName
from eventdefs.publishers.http.answers import (
    Answer,
    Each,
    Rules,
    id_of,
    is_like_a_position,
    parse_already,
    parse_path,
    parse_status,
)
from eventdefs.publishers.http.connection import TLS, Connection, proxy_of, target_of
from eventdefs.publishers.http.signing import id_of as post_id_of
from eventdefs.publishers.http.signing import read_secrets, signature, split_secrets
from eventdefs.publishers.http.tokens import Credentials, Fixed, Keystone, TokenFile, read_cloud
from eventdefs.publishers.urls import Options
from eventdefs.types import Event, Item, Refused, kind_of

READ = 65_536
"""How many bytes of an answer are read; more only where it speaks of each item."""
READ_ITEM = 1024
"""How many bytes more for each item then."""


class HTTPOptions(Options, frozen=True):
    """Options of `http://` and `https://`; the first seven are Ceilometer's.

    Attributes:
        timeout: seconds; for the connection, for the answer to begin, and for the rest of it.
        max_retries: how often a post is made again at once where the connection could not be made or broke before
            there was an answer; what stands around the publisher tries again besides.
        batch: `true` posts many items in one body, `false` each in its own.
        verify_ssl: `true`, `false`, or a file or folder with the certificates that are trusted.
        clientcert, clientkey: files; our certificate, and its key where that is not in the same file.
        raw_only: posts the payloads of raw events and nothing else of them; events without are left out.
        format: `native`, `ceilometer`, `cloudevents` or `monasca`.
        gzip: compresses bodies.
        header: `header.NAME=value` sends a header; its value is a secret.
        query: `query.NAME=value` stays in the query of the target.
        token, token_file: a bearer token, or the file in which it is.
        cloud: posts with a token of Keystone, had as `clouds.yaml` says of this cloud.
        keystone: `keystone.NAME=value`, the same by options of keystoneauth.
        secret, secret_file: secrets of Standard Webhooks, `whsec_...`, separated by commas, or their file.
        already: answers which mean that an item was there already: `409`, `422:$.code=exists`.
        retry_status: more statuses after which the same is tried again, separated by commas.
        items: where an answer has an entry for each item.
        errors: where an answer has an entry for each item that failed.
        item_id: the key of an entry that names its item, where its place does not.
        item_status: where the status stands in an entry.
        proxy: the URL of a proxy, or `none`; by default what the environment says.
    """

    timeout: float = 5.0
    max_retries: int = 2
    batch: bool = True
    verify_ssl: str = "true"
    clientcert: str = ""
    clientkey: str = ""
    raw_only: bool = False
    format: FormatName = "native"
    gzip: bool = False
    header: dict[str, str] = msgspec.field(default_factory=dict)
    query: dict[str, str] = msgspec.field(default_factory=dict)
    token: str = ""
    token_file: str = ""
    cloud: str = ""
    keystone: dict[str, str] = msgspec.field(default_factory=dict)
    secret: str = ""
    secret_file: str = ""
    already: str = ""
    retry_status: str = ""
    items: str = ""
    errors: str = ""
    item_id: str = ""
    item_status: str = "status"
    proxy: str = ""


class Post(NamedTuple):
    """One body, and the items that it is made of."""

    batch: Batch
    body: bytes


def _now() -> datetime:
    return datetime.now(UTC)


class HTTPPublisher:
    """Posts items to one URL: ``https://host/path``."""

    Options: ClassVar[type[msgspec.Struct]] = HTTPOptions
    LIMITS: ClassVar[BatchLimits] = BatchLimits(1000, 1_000_000)

    def __init__(self, url: PublisherURL, options: HTTPOptions, *, clock: Callable[[], datetime] = _now) -> None:
        target, user = target_of(url.scheme, url.target)
        if options.query:
            target = target._replace(query=urlencode(options.query, quote_via=quote))
        self._clock = clock
        try:
            if not 0 < options.timeout < math.inf or options.max_retries < 0:
                raise ValueError("timeout is a number of seconds above 0, max_retries a number from 0")
            self._rules = _read_rules(target._replace(query=None).url, options)
            secrets = _read_secrets(options)
            self._keys = read_secrets(secrets) if secrets else ()
            proxy = proxy_of(target, options.proxy)
            tls = _read_tls(options)
            self._connection = Connection(
                target, tls, timeout=options.timeout, max_retries=options.max_retries, proxy=proxy
            )
            self._credentials = _read_credentials(user, options, tls)
            self._form = _read_format(options)
            self._headers = _read_headers(options, self._form)
        except (ValueError, PublisherURLError) as error:
            raise PublisherURLError(f"{target._replace(query=None).url}: {error}") from error
        self._batch = options.batch
        self._gzip = options.gzip
        self._raw_only = options.raw_only
        # In these forms nothing says of what kind an item is, so each kind has a body of its own.
        self._by_kind = options.format in ("ceilometer", "monasca")
        self._secrets = [
            *split_secrets(secrets),
            *options.header.values(),
            *options.query.values(),
            *_secrets_of(proxy),
        ]

    def publish(self, batch: Batch) -> Delivered:
        """Post *batch*, in as few bodies as its form allows, and return when each was answered.

        Raises:
            RetryableDeliveryError, PermanentDeliveryError, PartialDeliveryError: as of every publisher.
        """
        posts = list(self._posts(batch))
        delivered = Delivered(0)
        refused: list[Refused] = []
        for number, post in enumerate(posts):
            left = [item for later in posts[number + 1 :] for item in later.batch]
            try:
                delivered = delivered.plus(self._publish(post))
            except PartialDeliveryError as error:
                delivered = delivered.plus(error.delivered)
                refused += error.refused
                if error.error is not None:
                    again = batch.part([*error.again, *left])
                    raise PartialDeliveryError(delivered, again, error.error, refused) from error
            except PermanentDeliveryError as error:
                if len(posts) > 1 and len(post.batch) == 1:
                    refused.append(Refused(next(iter(post.batch)), str(error)))
                elif not delivered.published and not refused:
                    raise
                else:  # It is found which of them is at fault when they come again, alone.
                    again = batch.part([*post.batch, *left])
                    raise PartialDeliveryError(delivered, again, RetryableDeliveryError(str(error)), refused) from error
            except RetryableDeliveryError as error:
                if not delivered.published and not refused:
                    raise
                raise PartialDeliveryError(delivered, batch.part([*post.batch, *left]), error, refused) from error
        if refused:
            raise PartialDeliveryError(delivered, batch.part(()), None, refused)
        return delivered

    def _posts(self, batch: Batch) -> Iterator[Post]:
        for group in self._groups(self._kept(batch)):
            if self._batch:
                yield Post(group, self._body(group))
            else:
                for item in group:
                    alone = group.part([item])
                    yield Post(alone, self._body(alone))

    def _kept(self, batch: Batch) -> Batch:
        """Return what of *batch* has a form."""
        form, events = self._form, batch.events
        if self._raw_only:
            events = [event for event in events if event.raw.get("payload")]
        periods = batch.periods if form.period is not None else ()
        records = batch.records if form.record is not None else ()
        return Batch(events, batch.samples, periods, records, origins=batch.origins, replace=batch.replace)

    def _groups(self, batch: Batch) -> list[Batch]:
        """Return what goes into one body each: in the same, an answer can tell items apart by their ids.

        An item whose id reads like a position is alone: it would be taken for the item at that place.
        """
        apart = self._rules.each is not None
        if not apart and not self._by_kind:
            return [batch] if len(batch) else []
        groups: dict[tuple[str, int, str], list[Item]] = {}
        times: Counter[tuple[str, str]] = Counter()
        for item in batch:
            kind, name = kind_of(item) if self._by_kind else "", id_of(item)
            alone = name if apart and is_like_a_position(name) else ""
            groups.setdefault((kind, times[kind, name] if apart else 0, alone), []).append(item)
            times[kind, name] += 1
        return [batch.part(items) for items in groups.values()]

    def _body(self, batch: Batch) -> bytes:
        """Return the body of *batch*.

        Raises:
            PermanentDeliveryError: a value cannot be written as JSON.
        """
        form = self._form
        try:
            documents = [form.event(event) for event in batch.events]
            documents += [form.sample(sample) for sample in batch.samples]
            documents += [form.period(period) for period in batch.periods if form.period is not None]
            documents += [form.record(record) for record in batch.records if form.record is not None]
            if not self._batch and form.alone:
                return write_json(documents[0])
            if form.join is FORMATS["native"].join:  # an array, which is written twice as fast as its items
                return write_json(documents)
            return form.join([write_json(document) for document in documents])
        except UNWRITABLE as error:
            raise PermanentDeliveryError(f"cannot be written as JSON: {error}") from error

    def _publish(self, post: Post) -> Delivered:
        headers = self._headers
        if self._keys:
            post_id = post_id_of(post.batch, post.body if post.batch.replace else None)
            headers = {**headers, **signature(self._keys, post_id, int(self._clock().timestamp()), post.body)}
        body = post.body
        if self._gzip:  # What is signed is the JSON: who receives it may be given it unpacked.
            body = gzip.compress(body, 1, mtime=0)
        most = READ if self._rules.each is None else READ + READ_ITEM * len(post.batch)
        return self._rules.settle(self._request("POST", headers, body, most), post.batch, self._clock(), self._hidden)

    def _request(self, method: str, headers: Mapping[str, str], body: bytes | None, most: int) -> Answer:
        """Return the answer; where our token is refused and can be had anew, the second one."""
        answer = self._connection.request(method, {**headers, **self._credentials.headers()}, body, most)
        if answer.status == 401 and self._credentials.renew():
            answer = self._connection.request(method, {**headers, **self._credentials.headers()}, body, most)
        return answer

    def _hidden(self, text: str) -> str:
        """Return *text*, which somebody else wrote, without what lets us in."""
        for secret in sorted({*self._secrets, *self._credentials.secrets()}, key=len, reverse=True):
            if len(secret) > 3:  # what is shorter is no secret, and stands in every text
                text = text.replace(secret, "***")
        return text

    def check(self) -> None:
        """Ask with OPTIONS, which sends no data; what a target answers to that is often no, and it is there.

        Raises:
            DeliveryError: what is wrong.
        """
        headers = {name: value for name, value in self._headers.items() if not name.lower().startswith("content-")}
        answer = self._request("OPTIONS", headers, None, READ)
        reason = self._rules.reason(answer, self._hidden)
        if answer.status in (401, 403, 407):
            raise AccessDeniedError(reason)
        if answer.status in (404, 410):
            raise PermanentDeliveryError(reason)
        if 300 <= answer.status < 400 or answer.status in (408, 425, 429):
            raise RetryableDeliveryError(reason)
        if answer.status >= 500 and answer.status != 501:
            raise RetryableDeliveryError(reason)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        if isinstance(self._credentials, Keystone):
            self._credentials.close()


_TRUE, _FALSE = ("true", "1", "t", "on", "y", "yes"), ("false", "0", "f", "off", "n", "no")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = ("content-length", "transfer-encoding", "content-encoding", "connection", "expect", "upgrade", "te", "trailer")
"""Headers that say how a body is sent."""


def _read_tls(options: HTTPOptions) -> TLS:
    word = options.verify_ssl.lower()
    ca = None if word in (*_TRUE, *_FALSE) else options.verify_ssl
    if ca is not None and not Path(ca).exists():
        raise ValueError(f"verify_ssl is true, false, or a file with certificates of CAs; there is no {ca!r}")
    if options.clientkey and not options.clientcert:
        raise ValueError("clientkey needs clientcert")
    return TLS(word not in _FALSE, ca, options.clientcert or None, options.clientkey or None)


def _read_rules(name: str, options: HTTPOptions) -> Rules:
    if options.items and options.errors:
        raise ValueError("an answer has items or errors, not both")
    each = None
    if options.items or options.errors:
        path, status = parse_path(options.items or options.errors), parse_path(options.item_status)
        each = Each(path, bool(options.errors), options.item_id, status)
    elif options.item_id or options.item_status != "status":
        raise ValueError("item_id and item_status need items or errors")
    later = [one.strip() for one in options.retry_status.split(",") if one]
    return Rules(name, parse_already(options.already), frozenset(map(parse_status, later)), each)


def _read_secrets(options: HTTPOptions) -> str:
    if options.secret and options.secret_file:
        raise ValueError("secrets are in secret or in secret_file, not in both")
    text = options.secret
    if options.secret_file:
        try:
            text = Path(options.secret_file).read_text()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ValueError(f"secret_file {options.secret_file} cannot be read: {why}") from error
        if not text.strip():
            raise ValueError(f"secret_file {options.secret_file} is empty")
    return text


def _secrets_of(proxy: str | None) -> list[str]:
    user = parse_url(proxy).auth if proxy is not None else None
    return [] if user is None else [_basic(user), user.partition(":")[2], unquote(user).partition(":")[2]]


def _basic(user: str) -> str:
    """Return *user*, which is written as in a URL, as the header has it."""
    name, _, password = user.partition(":")
    return base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()


def _read_credentials(user: str | None, options: HTTPOptions, tls: TLS) -> Credentials:
    authorization = any(name.lower() == "authorization" for name in options.header)
    given = {
        "a user in the URL": user is not None,
        "token": options.token != "",
        "token_file": options.token_file != "",
        "header.Authorization": authorization,
        "cloud": options.cloud != "",
        "keystone": bool(options.keystone),
    }
    named = [name for name, there in given.items() if there]
    if len(named) > 1:
        raise ValueError(f"{' and '.join(named)} are several ways to say who we are; expected is one")
    if user is not None:
        encoded, password = _basic(user), user.partition(":")[2]
        return Fixed({"Authorization": f"Basic {encoded}"}, (encoded, unquote(password), password))
    if options.token:
        if not options.token.isascii() or not options.token.isprintable():
            raise ValueError("token is no token: it has characters that a header cannot have")
        return Fixed({"Authorization": f"Bearer {options.token}"}, (options.token,))
    if options.token_file:
        return TokenFile(Path(options.token_file))
    if options.cloud or options.keystone:
        return _read_keystone(options, tls)
    return Fixed({})


def _read_keystone(options: HTTPOptions, tls: TLS) -> Keystone:
    asked: dict[str, Any] = dict(options.keystone)
    verify: bool | str = tls.ca or tls.verify
    cert: str | tuple[str, str] | None = (tls.cert, tls.key) if tls.cert and tls.key else tls.cert
    if options.cloud:
        cloud = read_cloud(options.cloud)
        auth = cloud.get("auth")
        asked = dict(auth) if isinstance(auth, dict) else {}
        asked["auth_type"] = cloud.get("auth_type", "password")
        verify = cloud["cacert"] if cloud.get("cacert") else bool(cloud.get("verify", True)) and verify
        if cloud.get("cert"):
            cert = (cloud["cert"], cloud["key"]) if cloud.get("key") else cloud["cert"]
    return Keystone(asked, verify=verify, cert=cert, timeout=options.timeout)


def _payload(event: Event) -> Any:
    return event.raw["payload"]


def _read_format(options: HTTPOptions) -> Format:
    form = FORMATS[options.format]
    if not options.raw_only:
        return form
    if options.format not in ("native", "ceilometer"):
        raise ValueError(f"raw_only posts payloads as they are, which is not the format {options.format}")
    return form._replace(event=_payload)


def _read_headers(options: HTTPOptions, form: Format) -> dict[str, str]:
    headers = {
        "Content-Type": form.batch_content_type if options.batch else form.content_type,
        "Accept": "application/json",
        "User-Agent": "eventdefs",
    }
    if options.gzip:
        headers["Content-Encoding"] = "gzip"
    for name, value in options.header.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"header.{name} is no header that can be chosen")
        if not re.fullmatch("[\t\x20-\x7e\xa0-\xff]*", value):
            raise ValueError(f"header.{name} has characters that a header cannot have")
        headers = {known: kept for known, kept in headers.items() if known.lower() != name.lower()}
        headers[name] = value.strip()
    return headers
