"""What `elasticsearch://` and `opensearch://` do alike: one `_bulk` request a batch, every item of its answer read.

An item is created under an id that follows from what it is, so that one that comes again is refused as a duplicate,
which is success. An index is made before it is written to, from a template that fixes its fields.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

import msgspec

from eventdefs.encode import UNWRITABLE, write_json
from eventdefs.errors import (
    AccessDeniedError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers import BatchLimits, PublisherURL
from eventdefs.publishers.elasticsearch.cluster import (
    Answer,
    Cluster,
    failure_of,
    is_full,
    read_body,
    reason_of,
    type_of_error,
)
from eventdefs.publishers.elasticsearch.documents import document_of, mappings, unread_document_of
from eventdefs.publishers.elasticsearch.naming import (
    Home,
    Layout,
    Monthly,
    Templated,
    code_of,
    document_id,
    time_of,
)
from eventdefs.publishers.elasticsearch.own import OwnIndices
from eventdefs.publishers.naming import tenant_of
from eventdefs.publishers.urls import Options
from eventdefs.times import parse_duration, utc_text
from eventdefs.types import Batch, Delivered, Item, Refused

_log = logging.getLogger(__name__)

CLUSTER_RIGHTS = ("manage_index_templates",)
INDEX_RIGHTS = ("index", "read", "manage")
"""What publishing needs, in Elasticsearch's words: making indices and aliases is `manage`."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)

VERSION = 1
"""Of the index template. It grows with every change of `documents.mappings`."""

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=1)]
CountOrNone = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class IndexOptions(Options, frozen=True):
    """Options of `opensearch://`.

    Attributes:
        samples, usage: what the names of the indices of samples, and of periods and usage, begin with; those of
            events begin with the path of the URL, or `events`.
        index: the name of the one index that takes everything, which may have `{tenant}`, `{event_type}` and
            `{meter}` in it; it takes the place of path, `samples` and `usage`, and has no month.
        tenants: those who have indices of their own, joined by commas.
        own_index_tenants: how many more have, first come, first served.
        shards, replicas: of each index.
        ahead: how far after now an item may be dated.
        retention: how far before now an item may be dated, '' for any time.
        refresh: whether an answer waits until items are found by searches.
        timeout: seconds to wait for an answer.
        compression: whether requests are compressed.
        tls: whether the servers are spoken to encrypted.
        ca_file: the certificates that servers are trusted by, beside those of the system.
        verify: `false` takes any certificate.
        cert_file, key_file: our own certificate, where servers ask for one.
    """

    samples: str = "samples"
    usage: str = "usage"
    index: str = ""
    tenants: str = ""
    own_index_tenants: CountOrNone = 10
    shards: Count = 1
    replicas: CountOrNone = 1
    ahead: str = "1d"
    retention: str = ""
    refresh: Literal["false", "true", "wait_for"] = "false"
    timeout: Seconds = 30.0
    compression: bool = False
    tls: bool = False
    ca_file: str = ""
    verify: bool = True
    cert_file: str = ""
    key_file: str = ""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def tls_context(url: PublisherURL, options: IndexOptions) -> ssl.SSLContext | None:
    """Return what is trusted and shown, None without TLS.

    Raises:
        PublisherURLError: a file cannot be read, or there is no TLS that it is for.
    """
    if not options.tls:
        if options.ca_file or options.cert_file or options.key_file or not options.verify:
            raise PublisherURLError(f"{url.text}: ca_file, cert_file, key_file and verify are of use with tls=true")
        return None
    if options.key_file and not options.cert_file:
        raise PublisherURLError(f"{url.text}: key_file needs cert_file, the certificate of that key")
    try:
        context = ssl.create_default_context()
        if options.ca_file:
            context.load_verify_locations(options.ca_file)
        if options.cert_file:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(options.cert_file, options.key_file or None, password="")
    except (OSError, ValueError) as error:
        raise PublisherURLError(f"{url.text}: ca_file, cert_file or key_file cannot be used: {error}") from error
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Health(msgspec.Struct):
    status: str


class _Rights(msgspec.Struct):
    has_all_requested: bool = True
    cluster: dict[str, bool] = {}
    index: dict[str, dict[str, bool]] = {}


class _Version(msgspec.Struct):
    version: int = 0


class _Template(msgspec.Struct):
    index_template: _Version


class _Templates(msgspec.Struct):
    index_templates: Annotated[list[_Template], msgspec.Meta(min_length=1)]


class _Mappings(msgspec.Struct):
    mappings: dict[str, Any]


class _IndexSettings(msgspec.Struct):
    settings: dict[str, Any]


class _ClusterSettings(msgspec.Struct):
    persistent: dict[str, Any]
    transient: dict[str, Any]


class _Done(msgspec.Struct):
    acknowledged: bool


class _Result(msgspec.Struct):
    status: int
    error: Any = None


class _Results(msgspec.Struct):
    items: list[Annotated[dict[str, _Result], msgspec.Meta(min_length=1, max_length=1)]]


class _Entry(NamedTuple):
    """An item on its way."""

    item: Item
    home: Home
    document: bytes

    def unread(self) -> _Entry:
        """Return it with a document that is not looked into."""
        return self._replace(document=unread_document_of(self.item))


class _Outcome:
    """What became of the items of a batch, as far as that is known."""

    def __init__(self) -> None:
        self.published = 0
        self.duplicates = 0
        self.refused: list[Refused] = []
        self.again: list[Item] = []
        self.errors: list[RetryableDeliveryError] = []

    def wait(self, items: Sequence[Item], error: RetryableDeliveryError) -> None:
        self.again += items
        self.errors.append(error)

    def delivered(self, batch: Batch) -> Delivered:
        """Return what was delivered; raises where that is not all of *batch*."""
        delivered = Delivered(self.published, self.duplicates)
        if not self.again and not self.refused:
            return delivered
        # Credentials are at fault only where all that waits says so: nothing else is tried again meanwhile.
        error = min(self.errors, key=lambda one: isinstance(one, AccessDeniedError), default=None)
        if error is not None and len(self.again) == len(batch):
            raise error
        waits = {id(item) for item in self.again}
        again = batch.part(item for item in batch if id(item) in waits)
        raise PartialDeliveryError(delivered, again, error, self.refused) from error


class BulkPublisher:
    """A publisher into a `Cluster`."""

    LIMITS: ClassVar[BatchLimits] = BatchLimits(items=5_000, bytes=10 * 2**20)

    def __init__(self, cluster: Cluster, path: str, options: IndexOptions, clock: Callable[[], datetime]) -> None:
        """Publish as *options* say; *path* is that of the URL and *clock* gives the time.

        Raises:
            PublisherURLError: an option has a value that it does not take.
        """
        self._cluster = cluster
        self._clock = clock
        self._name = cluster.name
        try:
            self._ahead = parse_duration(options.ahead)
            self._retention = parse_duration(options.retention) if options.retention else None
            self._bounds()
        except (ValueError, OverflowError) as error:
            raise PublisherURLError(f"{self._name}: ahead, retention: {error}") from None
        try:
            self._layout, others = _layout(cluster, path, options)
        except PublisherURLError as error:
            raise PublisherURLError(f"{self._name}: {error}") from None
        self._written_to = (*self._layout.patterns, *others)
        settings = {
            "number_of_shards": options.shards,
            "number_of_replicas": options.replicas,
            "index.mapping.nested_objects.limit": 100_000,
        }
        self._template = {
            "priority": 200,
            "version": VERSION,
            "template": {"settings": settings, "mappings": mappings(cluster.flat)},
            "_meta": {"description": "fixed fields of events, samples and usage, written by eventdefs"},
        }
        only = "errors,items.*.status,items.*.error"  # the rest of an answer says what we said
        self._bulk_path = f"/_bulk?filter_path={only}" + (
            f"&refresh={options.refresh}" if options.refresh != "false" else ""
        )
        self._ready: set[str] = set()
        self._written: set[str] = set()

    def publish(self, batch: Batch) -> Delivered:
        outcome = _Outcome()
        operation = "index" if batch.replace else "create"
        entries = self._open(self._entries(batch, outcome), outcome)
        unreadable = self._send(entries, operation, outcome)
        self._send([entry.unread() for entry in unreadable], operation, outcome, last=True)
        return outcome.delivered(batch)

    def _bounds(self) -> tuple[datetime, datetime]:
        """Return between which times items may be dated now."""
        now = self._clock()
        earliest = _ALWAYS if self._retention is None else now - self._retention
        return earliest, now + self._ahead

    def _entries(self, batch: Batch, outcome: _Outcome) -> list[_Entry]:
        """Return what of *batch* is to be sent; what is dated too far away, or is no JSON, is refused."""
        earliest, latest = self._bounds()
        entries = []
        for item in batch:
            time = time_of(item)
            if time > latest:
                reason = f"dated {utc_text(time)}, more than {self._ahead} ahead of now"
            elif time < earliest:
                reason = f"dated {utc_text(time)}, longer ago than {self._retention}"
            else:
                home = self._layout.home(item)
                try:
                    entries.append(_Entry(item, home, document_of(item)))
                    continue
                except UNWRITABLE as error:
                    reason = f"cannot be written as JSON: {error}"
            outcome.refused.append(Refused(item, f"{self._name}: {reason}"))
        return entries

    def _open(self, entries: list[_Entry], outcome: _Outcome) -> list[_Entry]:
        """Make what indices are missing; return those *entries* that have one, the others wait."""
        closed: dict[str, RetryableDeliveryError] = {}
        missing = {entry.home.name: entry for entry in entries if entry.home.name not in self._ready}
        for index, entry in missing.items():
            error = self._open_home(entry.home, tenant_of(entry.item))
            if error is not None:
                closed[index] = error
        for index, error in closed.items():
            outcome.wait([entry.item for entry in entries if entry.home.name == index], error)
        return [entry for entry in entries if entry.home.name not in closed] if closed else entries

    def _open_home(self, home: Home, tenant: str | None) -> RetryableDeliveryError | None:
        """Make the index of *home*; return what keeps it from being made.

        Where the cluster takes no more, its name becomes another name of the shared index, for all processes and for
        good: what comes again must meet itself.
        """
        if home.instead is not None and home.instead not in self._ready:
            self._make(home.instead)  # first of all, so that it is there when no more can be made
        failed = self._make(home.name)
        if failed is not None and is_full(failed.body) and home.instead in self._ready and tenant is not None:
            _log.warning("%s: %s is kept in %s: %s", self._name, home.name, home.instead, reason_of(failed.body))
            add = {"index": home.instead, "alias": home.name, "routing": code_of(tenant)}
            body = {"actions": [{"add": add | {"filter": {"term": {"tenant": tenant}}}}]}
            failed = self._cluster.ask("POST", "/_aliases", write_json(body))
            if failed.status == 200 and self._read(failed, _Done, f"the alias {home.name}").acknowledged:
                self._ready.add(home.name)
                return None
        return None if failed is None else failure_of(self._name, failed, f"the index {home.name}")

    def _make(self, index: str) -> Answer | None:
        """Make *index* unless it is there; return the answer that says why not."""
        pattern = next(one for one in self._layout.patterns if fnmatchcase(index, one))
        failed = self._put_template(pattern)
        if failed is not None:
            return failed
        answer = self._cluster.ask("PUT", f"/{index}")
        known = ("resource_already_exists_exception", "invalid_index_name_exception")  # which is that of an alias
        if answer.status != 200 and type_of_error(answer.body) not in known:
            return answer
        found = self._cluster.ask("GET", f"/{index}/_mapping")
        if found.status != 200:
            return found
        fields = self._read(found, dict[str, _Mappings], f"the fields of {index}")
        if not fields or any(one.mappings.get("dynamic") != "false" for one in fields.values()):
            return Answer(409, "its fields are not fixed: it was not made by us, or not from our template")
        self._ready.add(index)
        return None

    def _put_template(self, pattern: str) -> Answer | None:
        """Write the template of *pattern*, unless it is there as we wrote it, or as a later release did."""
        path = f"/_index_template/{template_name(pattern)}"
        found = self._cluster.ask("GET", path)
        if found.status == 200:
            templates = self._read(found, _Templates, f"the template of {pattern}").index_templates
            version = templates[0].index_template.version
            if version > VERSION or (version == VERSION and pattern in self._written):
                return None
        answer = self._cluster.ask("PUT", path, write_json({"index_patterns": [pattern], **self._template}))
        if answer.status != 200:
            return answer
        self._written.add(pattern)
        return None

    def _send(self, entries: list[_Entry], operation: str, outcome: _Outcome, *, last: bool = False) -> list[_Entry]:
        """Send *entries*; return those in which the server cannot read a value, unless this is the *last* attempt."""
        if not entries:
            return []
        items = [entry.item for entry in entries]
        try:
            answer = self._cluster.ask("POST", self._bulk_path, _lines(entries, operation), lines=True)
        except RetryableDeliveryError as error:
            outcome.wait(items, error)
            return []
        if answer.status == 413 or (answer.status == 400 and type_of_error(answer.body)):
            reason = f"{self._name}: {answer.status} {reason_of(answer.body)}"
            if not last:
                raise PermanentDeliveryError(reason)
            outcome.refused += [Refused(item, reason) for item in items]
        elif answer.status != 200:
            outcome.wait(items, failure_of(self._name, answer, "_bulk"))
        else:
            try:
                results = self._results(answer, len(entries))
            except RetryableDeliveryError as error:
                outcome.wait(items, error)
                return []
            return [
                entry
                for entry, result in zip(entries, results, strict=True)
                if not self._settle(entry, operation, Answer(result.status, {"error": result.error}), outcome, last)
            ]
        return []

    def _results(self, answer: Answer, count: int) -> list[_Result]:
        """Return what *answer* says of each of *count* items.

        Raises:
            RetryableDeliveryError: it does not.
        """
        found = self._read(answer, _Results, "_bulk").items
        if len(found) != count:
            raise RetryableDeliveryError(f"{self._name}: _bulk: the answer speaks of {len(found)} items of {count}")
        return [next(iter(one.values())) for one in found]

    def _read(self, answer: Answer, kind: type[T], what: str) -> T:
        return read_body(self._name, answer, kind, what)

    def _settle(self, entry: _Entry, operation: str, answer: Answer, outcome: _Outcome, last: bool) -> bool:
        """Note what the *answer* to an item says; return False where it may be accepted as text that is not read."""
        status = answer.status
        if status in (200, 201) or (status == 409 and operation == "create"):
            outcome.published += 1
            outcome.duplicates += status != 201
        elif status in (401, 403, 409, 429) or status >= 500:
            outcome.wait([entry.item], failure_of(self._name, answer, entry.home.name))
        elif status == 404 or is_full(answer.body) or type_of_error(answer.body) == "index_closed_exception":
            self._ready.discard(entry.home.name)  # it was there; whoever deletes or closes indices knows nothing of us
            outcome.wait([entry.item], failure_of(self._name, answer, entry.home.name))
        elif status == 400 and not last:
            return False
        else:
            outcome.refused.append(Refused(entry.item, f"{self._name}: {status} {reason_of(answer.body)}"))
        return True

    def check(self) -> None:
        """See that the cluster is there, lets us in, takes our fields, and can be written to.

        Raises:
            RetryableDeliveryError: what is wrong.
        """
        self._check_health()
        self._check_rights()
        for pattern in self._layout.patterns:
            body = write_json({"index_patterns": [pattern], **self._template})
            answer = self._cluster.ask("POST", f"/_index_template/_simulate/{template_name(pattern)}", body)
            if answer.status != 200:
                raise failure_of(self._name, answer, f"the index template {template_name(pattern)}")
        self._check_blocks()

    def _check_health(self) -> None:
        answer = self._cluster.ask("GET", "/_cluster/health")
        if answer.status == 200 and self._read(answer, _Health, "the cluster").status == "red":
            raise RetryableDeliveryError(f"{self._name}: the cluster is red: a part of its data is not there")
        if answer.status not in (200, 403):  # those who may write need not be allowed to look after the cluster
            raise failure_of(self._name, answer, "the cluster")

    def _check_rights(self) -> None:
        """See that we may do all that is needed, where the cluster can be asked that."""
        asked = {"cluster": CLUSTER_RIGHTS, "index": [{"names": self._written_to, "privileges": INDEX_RIGHTS}]}
        answer = self._cluster.ask("POST", "/_security/user/_has_privileges", write_json(asked))
        if answer.status == 401:
            raise failure_of(self._name, answer, "our rights")
        rights = self._read(answer, _Rights, "our rights") if _ok(answer) else _Rights()
        if not rights.has_all_requested:
            lacks = [right for right, given in rights.cluster.items() if not given]
            for pattern, some in rights.index.items():
                lacks += [f"{right} on {pattern}" for right, given in some.items() if not given]
            raise AccessDeniedError(f"{self._name}: we lack the rights {', '.join(lacks)}")

    def _check_blocks(self) -> None:
        """See that nobody has forbidden writing; a node does so when its disk is nearly full."""
        names = ",".join(self._layout.now(self._clock()))
        answer = self._cluster.ask("GET", f"/{names}/_settings/index.blocks.*?flat_settings=true")
        found = self._read(answer, dict[str, _IndexSettings], "the settings") if _ok(answer) else {}
        settings = {f"the index {name}": one.settings for name, one in found.items()}
        answer = self._cluster.ask("GET", "/_cluster/settings?flat_settings=true")
        if _ok(answer):
            cluster = self._read(answer, _ClusterSettings, "the settings of the cluster")
            settings["the cluster"] = cluster.persistent | cluster.transient
        for what, blocks in settings.items():
            for block in ("read_only_allow_delete", "read_only", "write"):
                if any(blocks.get(f"{level}.blocks.{block}") == "true" for level in ("index", "cluster")):
                    why = "a disk is nearly full" if block == "read_only_allow_delete" else "somebody has set that"
                    raise RetryableDeliveryError(f"{self._name}: {what} cannot be written to: {block}, {why}")

    def close(self) -> None:
        self._cluster.close()


def template_name(pattern: str) -> str:
    """Return the name of the index template for the indices that match *pattern*."""
    return f"eventdefs-{pattern.removesuffix('-*').replace('*', '_')}"


def _ok(answer: Answer) -> bool:
    return answer.status == 200


def _layout(cluster: Cluster, path: str, options: IndexOptions) -> tuple[Layout, tuple[str, ...]]:
    """Return where items are kept, and what indices are written to besides."""
    if options.index:
        if path or options.tenants:
            raise PublisherURLError(f"index={options.index} names all indices: no path and no tenants beside it")
        return Templated(options.index), ()
    events = path or "events"
    listed = [code_of(tenant) for tenant in options.tenants.split(",") if tenant]
    index = f"eventdefs_tenants_{events}"
    own = OwnIndices(cluster, index, listed, options.own_index_tenants, options.replicas)
    layout = Monthly(events, options.samples, options.usage, own.has)
    return layout, (index,) if options.own_index_tenants else ()


def _lines(entries: list[_Entry], operation: str) -> bytes:
    """Return the body of a bulk request."""
    lines = []
    for item, (index, routing, _), document in entries:
        where = f'"_index":"{index}","_id":"{document_id(item)}"'  # of letters and digits, so that nothing is escaped
        routed = f',"routing":"{routing}"' if routing else ""
        lines.append(b'{"%b":{%b%b}}\n%b\n' % (operation.encode(), where.encode(), routed.encode(), document))
    return b"".join(lines)
