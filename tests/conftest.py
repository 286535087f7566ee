"""Fixtures that several test modules use."""

from tests.servers import mariadb, postgresql

__all__ = ["mariadb", "postgresql"]
