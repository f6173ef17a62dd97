"""Fact `disk`: the file systems under the model directory and under Docker's, in bytes.

    {"model_directory": {"path": "/var/lib/sparkform/models", "mount": "/",
                         "total_bytes": 3936818806784, "free_bytes": 3508264644608},
     "docker_directory": {…}}

A directory that does not exist yet is measured at its nearest parent. Without a running Docker its
default directory is measured.
"""

from __future__ import annotations

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import mapping, number, text_or_none

DOCKER_DIRECTORY = "/var/lib/docker"


def read(look: Look, request: Request) -> object:
    docker = _docker_directory(look)
    return parse(
        model_directory=request.model_directory,
        model_df=_df(look, request.model_directory),
        docker_directory=docker,
        docker_df=_df(look, docker),
    )


def parse(model_directory: str, model_df: str, docker_directory: str, docker_df: str) -> object:
    return {
        "model_directory": {"path": model_directory, **_space(model_df)},
        "docker_directory": {"path": docker_directory, **_space(docker_df)},
    }


def _space(df: str) -> dict[str, object]:
    lines = df.splitlines()
    words = lines[1].split(None, 5) if len(lines) == 2 else []
    sizes = [number(word) for word in words[1:4]]
    if len(words) != 6 or None in sizes:
        raise Unreadable("df: expected one file system")
    return {"mount": words[5], "total_bytes": sizes[0], "free_bytes": sizes[2]}


def _df(look: Look, directory: str) -> str:
    folder = look.folder(directory)
    while not folder.exists():
        folder = folder.parent
    return look.command("df", "-P", "-B1", str(folder))


def _docker_directory(look: Look) -> str:
    try:
        root = mapping(look.engine("/info")).get("DockerRootDir")
    except Unreadable:
        root = None
    return text_or_none(root) or DOCKER_DIRECTORY
