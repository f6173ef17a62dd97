"""What pyinfra keeps on a node, as its deploy file: what sparkform found or made there.

Run by pyinfra in its own virtual environment, never imported by the project. Each host's data
(benchmarks/pyinfra_side.py writes it) holds `kept_files`, a list of {source, path, mode, user,
group}, `login`, the user, and `model_directory`.
"""

from pyinfra import config, host  # type: ignore[import-not-found]
from pyinfra.operations import files, server  # type: ignore[import-not-found]

config.SUDO = True

for kept_file in host.data.kept_files:
    files.put(
        name=kept_file["path"],
        src=kept_file["source"],
        dest=kept_file["path"],
        mode=kept_file["mode"],
        user=kept_file["user"],
        group=kept_file["group"],
    )
files.file(name="linger", path=f"/var/lib/systemd/linger/{host.data.login}")
server.user(
    name="docker group", user=host.data.login, groups=["docker"], append=True, ensure_home=False
)
files.directory(
    name="models", path=host.data.model_directory, user=host.data.login, group=host.data.login
)
