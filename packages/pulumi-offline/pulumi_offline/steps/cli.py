"""Step `pulumi`: .toolchain/cli/pulumi, which is the one on PATH or one built from Go modules."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from pulumi_offline.files import copy_or_link, create_scratch_folder, replace_folder
from pulumi_offline.launchers import MARK, render_host_launcher, write_executable
from pulumi_offline.machine import Machine, compute_digest, run
from pulumi_offline.versions import (
    FoundPulumi,
    Version,
    check_disk,
    check_go,
    explain_build,
    format_version,
    is_usable,
    parse_pinned_pulumi,
    parse_required_go,
    parse_version,
)
from sparkform.errors import InputError, Problem

MODULE_FILES = ("go.mod", "go.sum", "tools.go")
PROGRAM = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK = "github.com/pulumi/pulumi/sdk/v3"
EXECUTOR = Path("python", "cmd", "pulumi-language-python-exec")
# Measured on a machine without any Go module: 2.0 GiB of modules, 1.8 GiB of build cache.
NEEDED_GIB = 5.0
GIB = 1024**3
VERSION_TIMEOUT_S = 20.0


def compute_key(machine: Machine) -> str:
    """The build's inputs, and which pulumi is on PATH: a newer one there is noticed."""
    pulumi = find_on_path(machine)
    status = pulumi.stat() if pulumi else None
    identity = f"{pulumi} {status.st_mtime_ns} {status.st_size}" if status else "none"
    launcher = render_host_launcher(machine.layout)
    return compute_digest(
        [compute_cache_key(machine).encode(), identity.encode(), launcher.encode()]
    )


def is_ready(machine: Machine) -> bool:
    return (machine.layout.cli / "pulumi").exists()


def make(machine: Machine) -> str:
    """Use the pulumi on PATH if it is new enough and can run Python, else build one."""
    oldest = parse_pinned_pulumi(read_module(machine))
    candidate = examine(machine)
    previous = machine.layout.cli / "pulumi"
    official = f"; {previous.readlink()} was in use before" if previous.is_symlink() else ""
    with create_scratch_folder(machine.layout.toolchain) as folder:
        chosen = folder / "cli"
        chosen.mkdir()
        if candidate and is_usable(candidate, oldest):
            (chosen / "pulumi").symlink_to(candidate.path)
            outcome = f"{candidate.path} is used as it is"
        else:
            origin = ensure_build(machine)
            place(machine, origin, chosen)
            reason = explain_build(candidate, oldest)
            outcome = f"{format_version(oldest)} built from Go modules ({reason}{official})"
        replace_folder(chosen, machine.layout.cli)
    return outcome


def read_module(machine: Machine) -> str:
    return (machine.layout.module / "go.mod").read_text()


def compute_cache_key(machine: Machine) -> str:
    """What the built program depends on; the name of its folder in the cache."""
    module = machine.layout.module
    read = [(module / name).read_bytes() for name in MODULE_FILES]
    # One cache may serve machines of several kinds.
    kind = f"{platform.system()} {platform.machine()}"
    return compute_digest([*read, "\n".join(build_flags(machine)).encode(), kind.encode()])


def build_flags(machine: Machine) -> list[str]:
    """Without -X the CLI states no version, and plugins and projects cannot ask for one."""
    version = format_version(parse_pinned_pulumi(read_module(machine)))
    stated = f"-s -w -X {SDK}/go/common/version.Version={version}"
    return ["-mod=readonly", "-trimpath", "-ldflags", stated]


def find_on_path(machine: Machine) -> Path | None:
    """The first `pulumi` on PATH that is not a wrapper of such a setup."""
    for folder in filter(None, machine.environment.get("PATH", "").split(os.pathsep)):
        candidate = Path(folder, "pulumi")
        if candidate.is_file() and os.access(candidate, os.X_OK) and not is_wrapper(candidate):
            return candidate
    return None


def is_wrapper(path: Path) -> bool:
    with path.open("rb") as file:
        return MARK.encode() in file.read(256)


def examine(machine: Machine) -> FoundPulumi | None:
    path = find_on_path(machine)
    if path is None:
        return None
    beside = path.resolve().parent / "pulumi-language-python"
    host = beside.is_file() or shutil.which(beside.name, path=machine.environment.get("PATH"))
    return FoundPulumi(path, query_version(machine, path), bool(host))


def query_version(machine: Machine, path: Path) -> Version | None:
    """What the program answers to `version`, asked with a home of our own."""
    settings = {"PULUMI_HOME": str(machine.layout.home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        result = subprocess.run(
            [path, "version"],
            env={**machine.environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(result.stdout) if result.returncode == 0 else None


def ensure_build(machine: Machine) -> Path:
    """The folder in the cache with pulumi and its executor, built now if it is not there."""
    entry = machine.cache / compute_cache_key(machine)
    if not entry.is_dir():
        refuse_unless_buildable(machine)
        with create_scratch_folder(machine.cache) as folder:
            build_folder = folder / "entry"
            build_folder.mkdir()
            build(machine, folder / "module", build_folder)
            keep(build_folder, entry)
    return entry


def keep(folder: Path, entry: Path) -> None:
    """Another clone may have built the same entry in the meantime; then theirs stays."""
    try:
        folder.rename(entry)
    except OSError:
        if not entry.is_dir():
            raise


def refuse_unless_buildable(machine: Machine) -> None:
    machine.cache.mkdir(parents=True, exist_ok=True)
    free_gib = shutil.disk_usage(machine.cache).free / GIB
    candidates = [
        check_go(
            query_go_version(machine), parse_required_go(read_module(machine)), machine.environment
        ),
        check_disk(machine.cache, free_gib, NEEDED_GIB),
    ]
    problems = [problem for problem in candidates if problem]
    if problems:
        raise InputError(problems)


def query_go_version(machine: Machine) -> str | None:
    """What the installed Go says of itself, without fetching another one to answer."""
    go = shutil.which("go", path=machine.environment.get("PATH"))
    if go is None:
        return None
    variables = {**machine.environment, "GOTOOLCHAIN": "local"}
    return run([go, "version"], machine.layout.root, variables)


def build(machine: Machine, module: Path, target: Path) -> None:
    """Build in a copy of the module, so that Go can write nothing into the clone."""
    print("pulumi: building from Go modules, about 6 minutes the first time ...", flush=True)
    module.mkdir()
    for name in MODULE_FILES:
        shutil.copy(machine.layout.module / name, module)
    run(
        ["go", "build", *build_flags(machine), "-o", target / "pulumi", PROGRAM],
        module,
        machine.environment,
    )
    listed = run(["go", "list", "-m", "-f", "{{.Dir}}", SDK], module, machine.environment)
    source = Path(listed.strip().splitlines()[-1], EXECUTOR)
    if not source.is_file():
        raise InputError([Problem(path=str(source), message="is missing from the SDK's Go module")])
    shutil.copyfile(source, target / source.name)


def place(machine: Machine, origin: Path, folder: Path) -> None:
    """Put the CLI, its executor and our language host side by side: that is where it looks."""
    copy_or_link(origin / "pulumi", folder / "pulumi")
    shutil.copyfile(origin / EXECUTOR.name, folder / EXECUTOR.name)
    write_executable(folder / "pulumi-language-python", render_host_launcher(machine.layout))
