"""`http://` and `https://` post items as JSON, many in one body or each in its own, over a connection that is kept.

`connection` speaks HTTP and TLS, `answers` reads what an answer says of each item, `tokens` and `signing` say who
posts. A publisher of one URL follows the order in which it is given batches: one post at a time.
"""

from eventdefs.publishers.http.publisher import HTTPOptions, HTTPPublisher

__all__ = ["HTTPOptions", "HTTPPublisher"]
