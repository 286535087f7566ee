"""The shell: completion in the real shells, help with examples, and errors that are no tracebacks."""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventdefs import cli
from eventdefs.cli import COULD_NOT, FINE, main
from eventdefs.cli.completion import SHELLS

TOP = Path(__file__).resolve().parent.parent


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield *parser* and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


ALL = {parser.prog: parser for parser in parsers(cli.full_parser())}


def need(shell: str) -> None:
    """Skip the test where *shell* is not installed; fail it where everything must be."""
    if shutil.which(shell) is None:
        (pytest.fail if "EVENTDEFS_REQUIRE_SERVERS" in os.environ else pytest.skip)(f"{shell} is not installed")


@pytest.fixture(scope="module", params=[shell for shell in SHELLS if shell != "zsh"])
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return the name of a shell that is installed, and a file with its completion."""
    name: str = request.param
    need(name)
    folder = tmp_path_factory.mktemp("shell")
    script = folder / f"eventdefs.{name}"
    with script.open("w") as stream:
        command = [sys.executable, "-m", "eventdefs", "completion", name]
        subprocess.run(command, stdout=stream, check=True, cwd=TOP)
    return name, script


COMPLETE = {
    "bash": """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
[[ "{words}" == *' ' ]] && {{ COMP_WORDS+=(''); COMP_CWORD=$((COMP_CWORD + 1)); }}
$(complete -p eventdefs | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "fish": """
source {script}
complete -C "{words}"
""",
}


def completions(shell: tuple[str, Path], words: str) -> list[str]:
    """Return what the shell offers after *words*."""
    name, script = shell
    text = COMPLETE[name].format(script=script, words=words, folder=script.parent)
    ran = subprocess.run([name, "-c", text], capture_output=True, text=True, timeout=60, cwd=TOP, check=False)
    return [line.split("\t")[0] for line in ran.stdout.splitlines()]


OFFERS = {
    "a command": ("eventdefs li", ["lint"], ["run"]),
    "commands": ("eventdefs ", ["run", "explain", "language-server", "usage"], ["list"]),
    "an option": ("eventdefs lint --fo", ["--format"], ["--corpus"]),
    "a word of an option": ("eventdefs lint --format s", ["sarif"], ["json"]),
    "a code": ("eventdefs lint --explain W30", ["W301", "W302"], ["E001"]),
    "a command below": ("eventdefs usage ", ["list", "explain", "verify"], ["lint"]),
    "a file": ("eventdefs lint event_def", ["event_definitions.yaml"], []),
    "an option after files": ("eventdefs run samples --definitions meters.yaml --drop", ["--drop-unmatched"], ["docs"]),
}


@pytest.mark.parametrize(("words", "offered", "not_offered"), OFFERS.values(), ids=OFFERS)
def test_completion(shell: tuple[str, Path], words: str, offered: list[str], not_offered: list[str]) -> None:
    """Commands, options, words and files are offered where they can stand."""
    got = completions(shell, words)
    assert set(offered) <= set(got)
    assert not set(not_offered) & set(got)


def test_several_files_of_an_option_in_fish(tmp_path: Path) -> None:
    """The second is completed as the first is; where no files can stand, none are offered."""
    need("fish")
    script = tmp_path / "eventdefs.fish"
    with script.open("w") as stream:
        subprocess.run([sys.executable, "-m", "eventdefs", "completion", "fish"], stdout=stream, check=True, cwd=TOP)
    for words, offered in (
        ("eventdefs diff a b --corpus samples/ event_def", ["event_definitions.yaml"]),
        ("eventdefs lint --corpus samples/ --format event_def", []),
        ("eventdefs events event_def", []),
    ):
        assert completions(("fish", script), words) == offered


def test_commands_are_described_by_their_summaries(tmp_path: Path) -> None:
    """In shells that show what a word is for."""
    for shell in ("zsh", "fish"):
        command = [sys.executable, "-m", "eventdefs", "completion", shell]
        script = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=TOP).stdout
        assert [summary for summary in cli._COMMANDS.values() if summary not in script] == []
        assert "`eventdefs" not in script


KEYED = {
    "an option": (b"eventdefs lint --form", b"--format"),
    "a word": (b"eventdefs lint --format sar", b"sarif"),
    "a command below": (b"eventdefs usage lis", b"list"),
    "a file": (b"eventdefs lint one-f", b"one-file.yaml"),
    "a file of an option": (b"eventdefs diff a b --corpus two-f", b"two-file.jsonl"),
}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_key_completes(shell: str, tmp_path: Path) -> None:
    """In an interactive shell, what is unambiguous is written when the key is pressed."""
    need(shell)
    for name in ("one-file.yaml", "two-file.jsonl"):
        (tmp_path / name).touch()
    with (tmp_path / "_eventdefs").open("w") as stream:
        subprocess.run([sys.executable, "-m", "eventdefs", "completion", shell], stdout=stream, check=True, cwd=TOP)
    (tmp_path / ".zshrc").write_text(
        f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump\n"
        "PS1='READY> '; unsetopt zle_bracketed_paste 2>/dev/null; zstyle ':completion:*' list-prompt ''\n"
    )
    (tmp_path / ".bashrc").write_text(f"source {tmp_path}/_eventdefs\nPS1='READY> '\n")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        ["bash", "--rcfile", ".bashrc", "-i"] if shell == "bash" else ["zsh", "-i"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        close_fds=True,
        cwd=tmp_path,
        start_new_session=True,
        env={"ZDOTDIR": str(tmp_path), "HOME": str(tmp_path), "TERM": "dumb", "PATH": "/usr/bin:/bin"},
    )
    try:
        read_until(leader, b"READY> ")
        for typed, wanted in KEYED.values():
            os.write(leader, typed + b"\t")
            read_until(leader, wanted)
            os.write(leader, b"\x15")  # the line is emptied
    finally:
        process.kill()
        process.wait()
        os.close(leader)
        os.close(follower)


def read_until(descriptor: int, wanted: bytes, seconds: float = 60) -> bytes:
    """Return what a terminal shows, up to *wanted*."""
    seen = b""
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        assert ready, f"{wanted!r} did not come: {seen!r}"
        seen += os.read(descriptor, 4096)
    return seen


@pytest.mark.parametrize("prog", ALL)
def test_help_shows_examples(prog: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says how it is used, in words that it understands."""
    with pytest.raises(SystemExit) as ended:
        main([*prog.split()[1:], "--help"])
    assert ended.value.code == FINE
    out = capsys.readouterr().out
    assert "examples:" in out
    examples = re.findall(rf"^  ({prog}(?: .*)?)$", out, re.MULTILINE) if prog.startswith("eventdefs usage ") else []
    for example in examples:
        cli.full_parser().parse_args(example.split()[1:])
    assert examples or not prog.startswith("eventdefs usage ")


GUESSES = {
    "a command": (["lnit"], "(did you mean 'lint'?)"),
    "an option": (["lint", "--corpsu", "x"], "(did you mean '--corpus'?)"),
    "a word": (["lint", "--format", "srif"], "(did you mean 'sarif'?)"),
    "nothing near": (["lint", "--zzzzzzzz"], "unrecognized arguments: --zzzzzzzz\n"),
}


@pytest.mark.parametrize(("arguments", "said"), GUESSES.values(), ids=GUESSES)
def test_what_was_probably_meant(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the fingers is answered with what is near."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == COULD_NOT
    assert said in capsys.readouterr().err


WRITES = {
    "little": ["lint", "--explain", "W302"],
    "much": ["schema"],
    "a script": ["completion", "bash"],
    "lines": ["run", "samples/glance", "--quiet"],
}


@pytest.mark.parametrize("arguments", WRITES.values(), ids=WRITES)
def test_output_that_cannot_be_written(arguments: list[str]) -> None:
    """A full disk is said, and the status tells it, however little was to be written; a closed output is nobody's."""
    command = [sys.executable, "-m", "eventdefs", *arguments]
    for buffered in ("", "1"):  # so that it is noticed at the end, or at once
        environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
        with open("/dev/full", "w") as full:
            ran = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=TOP, timeout=60, env=environment
            )
        assert ran.returncode == COULD_NOT
        assert "No space left on device" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert "mistake" not in ran.stderr
    closed = ["bash", "-c", '"$@" >&-', "bash", *command]
    ran = subprocess.run(closed, stderr=subprocess.PIPE, text=True, cwd=TOP, timeout=60)
    assert (ran.returncode, ran.stderr) == (FINE, "")


def test_only_the_command_is_loaded() -> None:
    """A folder that is called as a command is none."""
    words = "from eventdefs import cli; cli._parser(['run', 'samples', 'test', 'lint'])"
    loaded = f"{words}; import sys; print([n for n in sys.modules if n.startswith('eventdefs.cli.')])"
    ran = subprocess.run([sys.executable, "-c", loaded], stdout=subprocess.PIPE, text=True, cwd=TOP, check=True)
    assert "eventdefs.cli.run" in ran.stdout
    assert not {"eventdefs.cli.samples", "eventdefs.cli.test", "eventdefs.cli.lint"} & set(ran.stdout.split("'"))


def test_a_mistake_of_ours_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said in two lines; with a variable it is shown whole."""
    from eventdefs.cli import schema

    def broken(arguments: argparse.Namespace) -> int:
        raise KeyError("of ours")

    monkeypatch.setattr(schema, "run", broken)
    monkeypatch.delenv(cli.TRACEBACK, raising=False)
    assert main(["schema"]) == COULD_NOT
    err = capsys.readouterr().err
    assert err.startswith("eventdefs: a mistake in eventdefs: KeyError: 'of ours'\n")
    assert "Traceback" not in err
    monkeypatch.setenv(cli.TRACEBACK, "1")
    with pytest.raises(KeyError):
        main(["schema"])
