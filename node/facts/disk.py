"""Fact `disk`: the file systems under the model directory and under Docker's, in bytes.

    {"model_directory": {"path": "/var/lib/sparkform/models", "mount": "/",
                         "total_bytes": 3936818806784, "free_bytes": 3508264644608},
     "docker_directory": {…}}

A directory that does not exist yet is measured at its nearest parent. Without a running Docker its
default directory is measured.
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_number, to_mapping, to_text

DOCKER_DIRECTORY = "/var/lib/docker"


class MountSpace(TypedDict):
    mount: str
    total_bytes: int
    free_bytes: int


class DirectorySpace(MountSpace):
    path: str


class DiskFact(TypedDict):
    model_directory: DirectorySpace
    docker_directory: DirectorySpace


def read(reader: FactReader, request: FactRequest) -> DiskFact:
    docker = _find_docker_directory(reader)
    return parse(
        model_directory=request.model_directory,
        model_df=_run_df(reader, request.model_directory),
        docker_directory=docker,
        docker_df=_run_df(reader, docker),
    )


def parse(model_directory: str, model_df: str, docker_directory: str, docker_df: str) -> DiskFact:
    return {
        "model_directory": {"path": model_directory, **_parse_df(model_df)},
        "docker_directory": {"path": docker_directory, **_parse_df(docker_df)},
    }


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


def _find_docker_directory(reader: FactReader) -> str:
    try:
        root = to_mapping(reader.query_docker("/info")).get("DockerRootDir")
    except UnreadableFact:
        root = None
    return to_text(root) or DOCKER_DIRECTORY
