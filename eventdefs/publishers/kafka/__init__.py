"""`kafka://` publishes each item as a message, to one topic or to topics by kind, tenant or type.

Items of one key (tenant and resource) go to one partition, the same from every client, and stay in order. `settings`
reads the URL, `messages` makes messages of items, `confluent` and `kafka_python` each speak to one client library, and
`reaching` says why a broker is not there. A message is published when all in-sync replicas have it.
"""

from eventdefs.publishers.kafka.publisher import KafkaPublisher
from eventdefs.publishers.kafka.settings import KafkaOptions

__all__ = ["KafkaOptions", "KafkaPublisher"]
