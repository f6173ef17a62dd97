"""Looks for secrets where they must not be: files, processes, the journal, Docker's output."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.rack import RackHandle

PAUSE_S = 0.1
OWN_ROOT = Path("/proc/self/root")

# Runs on a node as root: names of files that changed since a time (Unix) and hold a text. The
# texts come on stdin, so that neither the process list nor a file of this scan holds them.
FILES = r"""
import json, os, stat, sys
since, needles = json.load(sys.stdin)
needles = {name: [bytes.fromhex(form) for form in forms] for name, forms in needles.items()}
skipped = {"/proc", "/sys", "/dev/pts", "/dev/mqueue"}
for folder, folders, files in os.walk("/"):
    folders[:] = [one for one in folders if os.path.join(folder, one) not in skipped]
    for path in (os.path.join(folder, one) for one in files):
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_ctime < since:
                continue
            text = open(path, "rb").read()
        except OSError:
            continue
        for name, forms in needles.items():
            if any(form in text for form in forms):
                print(json.dumps([name, path]))
"""
DOCKER = """
sudo sh -c '
docker info
docker ps -aq | xargs -r docker inspect
for kind in image network volume service node secret config plugin; do
  docker $kind ls -q 2> /dev/null | xargs -r docker $kind inspect
done
docker ps -aq | xargs -r -n 1 docker logs 2>&1
'
"""


@dataclass(frozen=True)
class Needles:
    """Secrets by name. Each is looked for as it is, and in base64 at each of its three places."""

    texts: Mapping[str, str]

    def list_forms(self, name: str) -> list[bytes]:
        return [self.texts[name].encode(), *_list_base64_forms(self.texts[name].encode())]

    def find_in(self, text: bytes) -> set[str]:
        return {name for name in self.texts if any(form in text for form in self.list_forms(name))}

    def to_json(self) -> dict[str, list[str]]:
        return {name: [form.hex() for form in self.list_forms(name)] for name in self.texts}


def _list_base64_forms(text: bytes) -> Iterator[bytes]:
    """What base64 makes of it, wherever it begins: without the ends that its neighbours change."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + text)
        first = -(-shift * 8 // 6)
        yield encoded[first : len(bytes(shift) + text) * 8 // 6]


@dataclass
class ProcessWatch:
    """Every command line on this machine, the nodes' included, and the nodes' environments.

    The environment of Pulumi's own processes here holds the configuration: that is how Pulumi hands
    it to a program.
    """

    arguments: set[bytes] = field(default_factory=set)
    environments: set[bytes] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def scan(self) -> None:
        own_root = _get_identity(OWN_ROOT)
        for process in Path("/proc").glob("[0-9]*"):
            # A process may end at any moment.
            with suppress(OSError):
                self.arguments.add((process / "cmdline").read_bytes())
                if _get_identity(process / "root") != own_root:
                    self.environments.add((process / "environ").read_bytes())

    def run(self) -> None:
        while not self.over.wait(PAUSE_S):
            self.scan()


def _get_identity(root: Path) -> tuple[int, int]:
    status = os.stat(root)
    return status.st_dev, status.st_ino


@contextmanager
def watch_processes() -> Iterator[ProcessWatch]:
    watch = ProcessWatch()
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.over.set()
        thread.join()


def scan_folder(folder: Path, needles: Needles) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {name for path in files for name in needles.find_in(path.read_bytes())}


def scan_files(rack: RackHandle, host: str, since: float, needles: Needles) -> dict[str, set[str]]:
    """Paths by needle, of files that changed on a node since then."""
    request = json.dumps([since, needles.to_json()])
    rack.must(host, "cat > /tmp/secret_scan.py", FILES)
    matches: dict[str, set[str]] = {}
    for line in rack.must(host, "sudo python3 /tmp/secret_scan.py", request).splitlines():
        name, path = json.loads(line)
        matches.setdefault(name, set()).add(path)
    return matches


def scan_journal(rack: RackHandle, host: str, needles: Needles) -> set[str]:
    return needles.find_in(rack.must(host, "sudo journalctl --no-pager -o verbose -b").encode())


def scan_docker(rack: RackHandle, host: str, needles: Needles) -> set[str]:
    return needles.find_in(rack.must(host, DOCKER).encode())
