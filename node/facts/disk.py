"""Fact `disk`: the file systems under the model directory and under Docker's, in bytes.

    {"model_directory": {"path": "/var/lib/sparkform/models", "mount": "/",
                         "total_bytes": 3936818806784, "free_bytes": 3508264644608},
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


class DirectorySpace(MountSpace):
    path: str


class DiskFact(TypedDict):
    model_directory: DirectorySpace
    docker_directory: DirectorySpace
    image_directory: DirectorySpace | None


def read(reader: FactReader, request: FactRequest) -> DiskFact:
    info = _query_info(reader)
    docker = to_text(info.get("DockerRootDir")) or DOCKER_DIRECTORY
    images = find_image_directory(info, reader.read_file_or_none(CONTAINERD_CONFIG))
    return parse(
        model_directory=request.model_directory,
        model_df=_run_df(reader, request.model_directory),
        docker_directory=docker,
        docker_df=_run_df(reader, docker),
        image_directory=images,
        image_df=_run_df(reader, images) if images else None,
    )


def parse(
    model_directory: str,
    model_df: str,
    docker_directory: str,
    docker_df: str,
    image_directory: str | None = None,
    image_df: str | None = None,
) -> DiskFact:
    images: DirectorySpace | None = None
    if image_directory and image_df is not None:
        images = {"path": image_directory, **_parse_df(image_df)}
    return {
        "model_directory": {"path": model_directory, **_parse_df(model_df)},
        "docker_directory": {"path": docker_directory, **_parse_df(docker_df)},
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


def _parse_df(df: str) -> MountSpace:
    lines = df.splitlines()
    cells = lines[1].split(None, 5) if len(lines) == 2 else []
    if len(cells) == 6:
        total, used, free = map(parse_number, cells[1:4])
        if total is not None and used is not None and free is not None:
            return {"mount": cells[5], "total_bytes": total, "free_bytes": free}
    raise UnreadableFact("df: expected one file system")


def _run_df(reader: FactReader, directory: str) -> str:
    folder = reader.get_path(directory)
    while not folder.exists():
        folder = folder.parent
    return reader.run_command("df", "-P", "-B1", str(folder))


def _query_info(reader: FactReader) -> dict[str, object]:
    try:
        return to_mapping(reader.query_docker("/info"))
    except UnreadableFact:
        return {}
