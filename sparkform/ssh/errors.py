"""Every way in which observing a node fails, as a value with the way out. Pure."""

from __future__ import annotations

from sparkform.report.rack_report import Kind, NodeError
from sparkform.ssh.target import Target


def _error(kind: Kind, what: str, remedy: str) -> NodeError:
    return NodeError(kind=kind, what=what, remedy=remedy)


def unresolved(target: Target) -> NodeError:
    return _error(
        "unresolved",
        f"The name {target.host} is not known to this machine's resolver.",
        f"Set `host` of node {target.name} to its address, or look it up: "
        f"`getent hosts {target.host}`.",
    )


def unreachable(target: Target, reason: str) -> NodeError:
    return _error(
        "unreachable",
        f"{target.place} does not answer ({reason}).",
        f"Is the node on and on this network? `ping -c 3 {target.host}`. "
        f"One that stays off for now is declared with `away: true`.",
    )


def refused(target: Target) -> NodeError:
    return _error(
        "refused",
        f"{target.place} refuses connections: the machine is on, nothing listens on port "
        f"{target.port}.",
        "On the node's own console: `sudo systemctl enable --now ssh`; or set `port`.",
    )


def frozen(target: Target, limit_s: float) -> NodeError:
    return _error(
        "frozen",
        f"{target.place} accepts connections but said nothing for {limit_s:g} s: the machine hangs "
        "or is out of memory.",
        f"Wait and try `ssh -v -p {target.port} {target.user}@{target.host} true`; if that hangs "
        "too, switch the node off and on at its power button.",
    )


def dropped(target: Target) -> NodeError:
    return _error(
        "dropped",
        f"{target.place} closed the connection before the answer was there.",
        "On the node's own console: `sudo journalctl -u ssh -n 20`; then run this again.",
    )


def unknown_host_key(target: Target, key: str, fingerprint: str, note: str) -> NodeError:
    return _error(
        "unknown_host_key",
        f"The host key of {target.place} is not known; it offers {fingerprint}.{note}",
        "Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the node's own console "
        f"(ecdsa: ssh_host_ecdsa_key.pub); the same? Then accept it: set `hostKey: {key}` on node "
        f"{target.name}, or `echo '{target.place} {key}' >> {target.known_hosts_file}`.",
    )


def changed_host_key(target: Target, key: str, fingerprint: str, known: list[str]) -> NodeError:
    return _error(
        "changed_host_key",
        f"The host key of {target.place} has changed: known is {' or '.join(known)}, it offers "
        f"{fingerprint}. Either the node was installed anew or somebody is in between.",
        f"Only if it was installed anew: `ssh-keygen -R '{target.place}' -f "
        f"{target.known_hosts_file}`, and set `hostKey: {key}` on node {target.name}.",
    )


def rsa_host_key(target: Target, where: str) -> NodeError:
    return _error(
        "rsa_host_key",
        f"{where} has only an RSA host key for {target.place}, which the command plugin cannot "
        "check.",
        "Make the others on the node: `sudo ssh-keygen -A && sudo systemctl restart ssh`, then "
        f"take `ssh-keyscan -t ed25519 -p {target.port} {target.host}`.",
    )


def bad_host_key(target: Target) -> NodeError:
    return _error(
        "bad_host_key",
        f"`hostKey` of node {target.name} is not an OpenSSH public key line.",
        "It looks like `ssh-ed25519 AAAA…`: "
        f"`ssh-keyscan -t ed25519 -p {target.port} {target.host}` prints it after the host name.",
    )


def authentication(target: Target, tried: int) -> NodeError:
    tail = f"{tried} key{'s' if tried != 1 else ''} offered" if tried else "no key to offer"
    key = target.identity_file or "~/.ssh/id_ed25519"
    return _error(
        "authentication",
        f"{target.place} lets {target.user} not in ({tail}).",
        f"`ssh-copy-id -i {key}.pub -p {target.port} {target.user}@{target.host}`, and have the "
        f"key in the agent (`ssh-add {key}`) or set `identityFile`.",
    )


def identity(target: Target, reason: str) -> NodeError:
    return _error(
        "identity",
        f"The key {target.identity_file} cannot be used: {reason}.",
        "`pulumi config set --secret sshKeyPassphrase`, or put the key in the agent: "
        f"`ssh-add {target.identity_file}`.",
    )


def sudo(target: Target) -> NodeError:
    user = target.user
    return _error(
        "sudo",
        f"sudo on {target.place} asks {user} for a password.",
        f"`ssh -t -p {target.port} {user}@{target.host} \"echo '{user} ALL=(ALL) NOPASSWD: ALL' | "
        f'sudo EDITOR=tee visudo -f /etc/sudoers.d/90-{user}"`.',
    )


def python_missing(target: Target) -> NodeError:
    return _error(
        "python_missing",
        f"{target.place} has no python3.",
        f"`ssh -t -p {target.port} {target.user}@{target.host} sudo apt-get install -y python3 "
        "python3-yaml`.",
    )


def timeout(target: Target, limit_s: float) -> NodeError:
    return _error(
        "timeout",
        f"{target.place} let {target.user} in, but the facts took longer than {limit_s:g} s.",
        f"See what keeps it busy: `ssh -p {target.port} {target.user}@{target.host} uptime`.",
    )


def failed(target: Target, reason: str) -> NodeError:
    return _error(
        "failed",
        f"The facts program on {target.place} failed: {reason}.",
        f"Try by hand: `ssh -p {target.port} {target.user}@{target.host} sudo -n python3 "
        "--version` (3.10 or newer is needed).",
    )


def damaged(target: Target, reason: str) -> NodeError:
    return _error(
        "damaged",
        f"{target.place} answered something else than facts: {reason}.",
        "A login script that prints is the usual cause: `ssh -p "
        f"{target.port} {target.user}@{target.host} true` must print nothing.",
    )


def through(jump: Target, error: NodeError) -> NodeError:
    """The same error, met on the way through a jump host."""
    return _error(error.kind, f"On the way through {jump.place}: {error.what}", error.remedy)
