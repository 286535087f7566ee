"""What makes the tables of each version out of those of the version before, through Alembic.

A script never changes once it is released, and imports nothing of the tables as they are now. Versions 1 and 2 were
of SQLite files only; servers begin with version 3. MariaDB does not take back what a script did that fails half-way,
so that a script for servers makes what is not there yet.
"""
