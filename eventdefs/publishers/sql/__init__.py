"""`sqlite://`, `postgresql://`, `mysql://`: events, samples, periods and usage in tables, each once.

A batch is one transaction, and one process writes at a time: it has the file, or the one row of `eventdefs_writer`,
from the beginning of its transaction to the end. So rows have a `sequence` that grows in the order of commits, two
writers never wait for each other in a circle, and what is there already is known when a row is written.

Nothing heavy is loaded with this package itself: a store reads the file without SQLAlchemy.
"""

SCHEMA_VERSION = 3
"""Of the tables; the last of `migrations`."""
VERSION_TABLE = "eventdefs_version"
"""Where a database keeps it, beside whatever version tables other applications have."""
