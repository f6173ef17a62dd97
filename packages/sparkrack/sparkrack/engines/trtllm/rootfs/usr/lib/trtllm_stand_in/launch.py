"""`trtllm-llmapi-launch COMMAND…`: one rank of several, under mpirun.

Rank 0 runs the command beside itself, without MPI's variables, and leads; other ranks work. As with
the real one (tensorrt_llm/llmapi/trtllm-llmapi-launch@020c89e): the command is split at blanks, and
where it fails the ranks stay and wait.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping

from . import group, ranks
from .start_up import print_line

FIRST_PORT = 10012
LAST_PORT = 11012
RANK_VARIABLES = ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMI_ID")
MPI_VARIABLES = (
    *("OMPI_", "PMIX_", "PMI_", "SLURM_", "MPI_", "UCX_"),
    *("I_MPI_", "HYDRA_", "KMP_", "MPICH_", "MV2_", "CRAY_"),
)


def read_rank(environment: Mapping[str, str]) -> int:
    return next((int(environment[name]) for name in RANK_VARIABLES if name in environment), 0)


def remove_mpi_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """A process that shares them would start MPI a second time."""
    return {k: v for k, v in environment.items() if not k.startswith(MPI_VARIABLES)}


def open_listener() -> socket.socket:
    for port in range(FIRST_PORT, LAST_PORT):
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        listener.listen()
        return listener
    raise SystemExit("stand-in: no port is free for the ranks' leader")


def run_beside(command: list[str], environment: dict[str, str]) -> None:
    """Only a command that ends well ends the ranks too."""

    def wait() -> None:
        if subprocess.run(command, env=environment, check=False).returncode == 0:
            os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str]) -> int:
    rank = read_rank(os.environ)
    print_line(f"mpi_rank: {rank}")
    if rank:
        size = os.environ["OMPI_COMM_WORLD_SIZE"]
        print_line(f"rank{rank} run mgmn worker node with mpi_world_size: {size} ...")
        ranks.work(ranks.Ranks())
        return 0
    listener = open_listener()
    os.environ[group.ADDRESS] = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    os.environ[group.KEY] = secrets.token_hex(32)
    command = " ".join(arguments).split()
    print_line(f"rank0 run {' '.join(command)} in background")
    run_beside(command, remove_mpi_variables(os.environ))
    ranks.lead(ranks.Ranks(), listener)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
