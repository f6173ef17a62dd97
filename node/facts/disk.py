"""Fact `disk`: the file systems under the model directory and under Docker's, in bytes.

    {"model_directory": {"path": "/var/lib/sparkform/models", "mount": "/",
                         "total_bytes": 3936818806784, "free_bytes": 3508264644608,
                         "total_inodes": 243000000, "free_inodes": 241000000,
                         "file_system": "ext4", "read_only": false},
     "docker_directory": {…}, "image_directory": null}

A directory that does not exist yet is measured at its nearest parent. Without a running Docker its
default directory is measured. `image_directory` is containerd's own, where Docker keeps images in
it (the containerd image store, which new installations of Docker 29 use).
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_number, to_list, to_mapping, to_text

DOCKER_DIRECTORY = "/var/lib/docker"
CONTAINERD_DIRECTORY = "/var/lib/containerd"
CONTAINERD_CONFIG = "/etc/containerd/config.toml"
SNAPSHOTTER = "io.containerd.snapshotter.v1"
_ROOT = re.compile(r"""^root\s*=\s*["']([^"'\n]+)["']""", re.MULTILINE)


class MountSpace(TypedDict):
    mount: str
    total_bytes: int
    free_bytes: int


class MountKind(TypedDict):
    file_system: str | None
    read_only: bool | None


class DirectorySpace(MountSpace, MountKind):
    path: str
    total_inodes: int | None
    free_inodes: int | None


class DiskFact(TypedDict):
    model_directory: DirectorySpace
    docker_directory: DirectorySpace
    image_directory: DirectorySpace | None


def read(reader: FactReader, request: FactRequest) -> DiskFact:
    info, model = _query_info(reader), request.model_directory
    docker = to_text(info.get("DockerRootDir")) or DOCKER_DIRECTORY
    images = find_image_directory(info, reader.read_file_or_none(CONTAINERD_CONFIG))
    return parse(
        model_directory=model,
        model_df=_run_df(reader, model),
        docker_directory=docker,
        docker_df=_run_df(reader, docker),
        image_directory=images,
        image_df=_run_df(reader, images) if images else None,
        mounts=reader.read_file_or_none("/proc/self/mounts") or "",
        inodes={path: _count_inodes(reader, path) for path in (model, docker, images) if path},
    )


def parse(
    model_directory: str,
    model_df: str,
    docker_directory: str,
    docker_df: str,
    image_directory: str | None = None,
    image_df: str | None = None,
    mounts: str = "",
    inodes: dict[str, str | None] | None = None,
) -> DiskFact:
    def parse_space(path: str, df: str) -> DirectorySpace:
        space = _parse_df(df)
        total, free = _parse_inodes((inodes or {}).get(path))
        return {
            "path": path,
            **space,
            **_find_mount(space["mount"], mounts),
            "total_inodes": total,
            "free_inodes": free,
        }

    images: DirectorySpace | None = None
    if image_directory and image_df is not None:
        images = parse_space(image_directory, image_df)
    return {
        "model_directory": parse_space(model_directory, model_df),
        "docker_directory": parse_space(docker_directory, docker_df),
        "image_directory": images,
    }


def find_image_directory(info: dict[str, object], config: str | None) -> str | None:
    """containerd's root, where GET /info says that it keeps the images (docs.docker.com,
    "containerd image store"); null where Docker keeps them in its own."""
    status = [to_list(entry) for entry in to_list(info.get("DriverStatus"))]
    if not any(SNAPSHOTTER in map(str, entry) for entry in status):
        return None
    root = _ROOT.search(config or "")
    return root.group(1) if root else CONTAINERD_DIRECTORY


def _parse_inodes(text: str | None) -> tuple[int | None, int | None]:
    """All and the free ones; a file system without a table of them shows 0 of 0."""
    cells = [parse_number(cell) for cell in (text or "").split()]
    total, free = cells if len(cells) == 2 else (None, None)
    return (total, free) if total else (None, None)


def _find_mount(mount: str, mounts: str) -> MountKind:
    """Of several on one another the last one counts (proc_pid_mounts(5))."""
    kind: MountKind = {"file_system": None, "read_only": None}
    for cells in map(str.split, mounts.splitlines()):
        if len(cells) >= 4 and cells[1].replace("\\040", " ") == mount:
            kind = {"file_system": cells[2], "read_only": "ro" in cells[3].split(",")}
    return kind


def _parse_df(df: str) -> MountSpace:
    lines = df.splitlines()
    cells = lines[1].split(None, 5) if len(lines) == 2 else []
    if len(cells) == 6:
        total, used, free = map(parse_number, cells[1:4])
        if total is not None and used is not None and free is not None:
            return {"mount": cells[5], "total_bytes": total, "free_bytes": free}
    raise UnreadableFact("df: expected one file system")


def _run_df(reader: FactReader, directory: str) -> str:
    return reader.run_command("df", "-P", "-B1", _find_folder(reader, directory))


def _count_inodes(reader: FactReader, directory: str) -> str | None:
    command = ("stat", "--file-system", "--format=%c %d")
    return reader.run_command_or_none(*command, _find_folder(reader, directory))


def _find_folder(reader: FactReader, directory: str) -> str:
    folder = reader.get_path(directory)
    while not folder.exists():
        folder = folder.parent
    return str(folder)


def _query_info(reader: FactReader) -> dict[str, object]:
    try:
        return to_mapping(reader.query_docker("/info"))
    except UnreadableFact:
        return {}
