"""Test files rewritten on disk: whole or not at all, and never over what somebody else wrote meanwhile."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from eventdefs.cases.running import Broken, Result, Runner, Suite
from eventdefs.cases.updating import update
from eventdefs.errors import InputError


def update_file(runner: Runner, suite: Suite, results: Sequence[Result]) -> tuple[int, list[tuple[str, str]]]:
    """Write the expectations of the failed *results* of *suite* anew; a file of which none failed is not written.

    What is written is read and run first: were a case to fail then that is not one of those left as they are, the file
    stays as it is.

    Returns:
        How many cases were written anew, and (name, reason) of those that were not.

    Raises:
        InputError: the file cannot be written, or was changed meanwhile.
    """
    failed = [result for result in results if result.outcome == "failed"]
    if not failed:
        return 0, []
    file = suite.cases.file
    updated = update(suite.text, results)
    left = {name for name, _ in updated.left}
    if updated.text == suite.text:
        return 0, list(updated.left)
    passed = {result.case.name for result in results if result.outcome == "passed"}
    passed |= {result.case.name for result in failed} - left
    again = runner.open_text(file, updated.text)
    if isinstance(again, Broken):
        raise InputError(f"{file}: cannot be updated without breaking it; nothing is written")
    for case in again.cases.cases:
        if case.name in passed and runner.run(again, case).outcome != "passed":
            raise InputError(f"{file}: {case.name}: cannot be updated in place; nothing is written")
    _replace(file, suite.text, updated.text)
    return len(failed) - len(left), list(updated.left)


def _replace(file: str, old: str, new: str) -> None:
    """Put *new* in the place of *old*, which *file* must still hold."""
    path = Path(file).resolve()
    try:
        with path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            found = path.read_bytes()
            mark = b"\xef\xbb\xbf" if found.startswith(b"\xef\xbb\xbf") else b""
            text = found.removeprefix(mark).decode()
            if text == new:
                return
            if text != old:
                raise InputError(f"{file}: was changed meanwhile; nothing is written, run it again")
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(mark + new.encode())
                os.chmod(name, path.stat().st_mode)
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
