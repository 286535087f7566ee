"""Fixtures that several test modules use."""

from tests.servers import (
    elasticsearch,
    elasticsearch9,
    kafka,
    mariadb,
    opensearch,
    postgresql,
    rabbitmq,
    secure_elasticsearch,
    secure_kafka,
)

__all__ = [
    "elasticsearch",
    "elasticsearch9",
    "kafka",
    "mariadb",
    "opensearch",
    "postgresql",
    "rabbitmq",
    "secure_elasticsearch",
    "secure_kafka",
]
