"""The shell texts that start a rank. All values stand in files and arguments, none here."""

from __future__ import annotations

from sparkform.launch.paths import CONTAINER_FOLDER, CONTAINER_KEYS

SCRIPT_HEADER = """#!/bin/sh
# Written by sparkform; changes are lost.
set -eu
"""

EXEC_ARGUMENTS = 'exec "$@"\n'

# NVIDIA's images prepare CUDA's libraries in an entrypoint that runs its arguments; vLLM's own
# images have `vllm serve` as entrypoint, which is not wanted here.
IMAGE_ENTRYPOINT = """
entrypoint=/opt/nvidia/nvidia_entrypoint.sh
if [ -z "${SPARKFORM_STARTED:-}" ] && [ -x "$entrypoint" ]; then
    export SPARKFORM_STARTED=1
    exec "$entrypoint" /bin/sh "$0" "$@"
fi
unset SPARKFORM_STARTED
"""

# sshd gives its sessions nothing of the container's environment.
SAVE_ENVIRONMENT = """
mkdir -p /run/sparkform
(umask 077 && export -p > /run/sparkform/environment)
"""

RANK_SCRIPT = """#!/bin/sh
# Written by sparkform; changes are lost.
# mpirun starts this on each node: the node's own values win over the head's, which -x brought.
set -eu
. /run/sparkform/environment
exec "$@"
"""

SSH_SCRIPT = f"""#!/bin/sh
# Written by sparkform; changes are lost.
exec ssh -F {CONTAINER_FOLDER}/ssh_config "$@"
"""

WAIT_LIMIT_S = 600

# A wrong key is final; anything else means that the worker is not up yet.
WAIT_FOR_WORKERS = f"""
deadline=$(($(date +%s) + {WAIT_LIMIT_S}))
tail -n +2 {CONTAINER_FOLDER}/hostfile | while read -r host slots; do
    until said=$({CONTAINER_FOLDER}/ssh -n "$host" true 2>&1); do
        case $said in
        *"verification failed"* | *"IDENTIFICATION HAS CHANGED"* | *"Permission denied"*)
            echo "sparkform: $host refuses the launch: $said" >&2
            exit 1
            ;;
        esac
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "sparkform: $host was not reached in {WAIT_LIMIT_S} s: $said" >&2
            exit 1
        fi
        sleep 2
    done
    echo "sparkform: $host is ready for the launch"
done
"""

# The path and the libraries of the container, so that mpirun's daemon is found on this node too.
RUN_SSHD = """
if [ ! -x /usr/sbin/sshd ]; then
    echo "sparkform: this image has no /usr/sbin/sshd; its layer was not built" >&2
    exit 1
fi
mkdir -p /run/sshd
chmod 0755 /run/sshd
exec "$@" -o "SetEnv=PATH=$PATH LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-/usr/local/lib}"
"""


def render_api_key_reader(path: str) -> str:
    """vLLM takes its key from VLLM_API_KEY (vllm/envs.py, 0.11.1 to 0.32.0): no argument needed."""
    return f"""
VLLM_API_KEY="$(cat {path})"
if [ -z "$VLLM_API_KEY" ]; then
    echo "sparkform: {path} is empty" >&2
    exit 1
fi
export VLLM_API_KEY
"""


def join_script(*parts: str) -> str:
    """A start script out of its parts, of which the last one runs the arguments."""
    return SCRIPT_HEADER + "".join(parts)


def render_sshd_config(address: str, port: int) -> str:
    """The launch sshd of one worker: keys only, root only, on the management address only."""
    return f"""# Written by sparkform; changes are lost.
Port {port}
ListenAddress {address}
HostKey {CONTAINER_KEYS}/host_key
AuthorizedKeysFile {CONTAINER_KEYS}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
AllowUsers root
PermitTTY no
X11Forwarding no
AllowTcpForwarding no
AllowAgentForwarding no
ClientAliveInterval 15
ClientAliveCountMax 4
PidFile none
LogLevel VERBOSE
"""


def render_ssh_config(port: int) -> str:
    """How the head reaches the workers' launch sshd: with its own key, to pinned hosts only."""
    return f"""# Written by sparkform; changes are lost.
Host *
    Port {port}
    User root
    IdentityFile {CONTAINER_KEYS}/client_key
    IdentitiesOnly yes
    UserKnownHostsFile {CONTAINER_KEYS}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 5
    ServerAliveInterval 15
    ServerAliveCountMax 4
"""
