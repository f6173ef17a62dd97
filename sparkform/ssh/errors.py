"""Every way in which observing a node fails: what is wrong, and what mends it. Pure."""

from __future__ import annotations

from sparkform.report.rack_report import ErrorKind, NodeError
from sparkform.ssh.target import Target


def _build_error(kind: ErrorKind, what: str, remedy: str) -> NodeError:
    return NodeError(kind=kind, what=what, remedy=remedy)


def unresolved(target: Target) -> NodeError:
    return _build_error(
        "unresolved",
        f"Cannot resolve host {target.host}.",
        f"Set `host` of node {target.name} to its address, or look it up: "
        f"`getent hosts {target.host}`.",
    )


def unreachable(target: Target, reason: str) -> NodeError:
    return _build_error(
        "unreachable",
        f"{target.address} is unreachable ({reason}).",
        f"Check that the node is on and on this network: `ping -c 3 {target.host}`. "
        "One that stays off for now gets `away: true`; "
        f"`sparkform forget STACK.yaml {target.name}` drops one that is lost.",
    )


def refused(target: Target) -> NodeError:
    return _build_error(
        "refused",
        f"Connection refused by {target.address}: the machine is on, but nothing listens on port "
        f"{target.port}.",
        "On the node's own console: `sudo systemctl enable --now ssh`; or set `port`.",
    )


def frozen(target: Target, limit_s: float) -> NodeError:
    return _build_error(
        "frozen",
        f"{target.address} accepts connections but sends nothing for {limit_s:g} s: the machine "
        "hangs or is out of memory.",
        f"Wait and try `ssh -v -p {target.port} {target.user}@{target.host} true`; if that hangs "
        "too, switch the node off and on at its power button.",
    )


def dropped(target: Target) -> NodeError:
    return _build_error(
        "dropped",
        f"Connection closed by {target.address} before the report was complete.",
        "On the node's own console: `sudo journalctl -u ssh -n 20`; then run this again.",
    )


def unknown_host_key(target: Target, key: str, fingerprint: str, note: str) -> NodeError:
    return _build_error(
        "unknown_host_key",
        f"Host key of {target.address} is unknown: it offers {fingerprint}.{note}",
        "Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the node's own console "
        f"(ecdsa: ssh_host_ecdsa_key.pub). If they match, accept it: set `hostKey: {key}` on node "
        f"{target.name}, or `echo '{target.address} {key}' >> {target.known_hosts_file}`.",
    )


def changed_host_key(target: Target, key: str, fingerprint: str, known: list[str]) -> NodeError:
    return _build_error(
        "changed_host_key",
        f"Host key of {target.address} has changed: expected {' or '.join(known)}, got "
        f"{fingerprint}. The node was reinstalled, or this is a possible man-in-the-middle.",
        f"Only if it was reinstalled: `ssh-keygen -R '{target.address}' -f "
        f"{target.known_hosts_file}`, and set `hostKey: {key}` on node {target.name}.",
    )


def rsa_host_key(target: Target, source: str) -> NodeError:
    return _build_error(
        "rsa_host_key",
        f"{source} has only an RSA host key for {target.address}, which the command plugin cannot "
        "verify.",
        "Create the others on the node: `sudo ssh-keygen -A && sudo systemctl restart ssh`, then "
        f"take `ssh-keyscan -t ed25519 -p {target.port} {target.host}`.",
    )


def bad_host_key(target: Target) -> NodeError:
    return _build_error(
        "bad_host_key",
        f"`hostKey` of node {target.name} is not an OpenSSH public key.",
        "It looks like `ssh-ed25519 AAAA…`: "
        f"`ssh-keyscan -t ed25519 -p {target.port} {target.host}` prints it after the host name.",
    )


def authentication(target: Target, keys_offered: int) -> NodeError:
    plural = "" if keys_offered == 1 else "s"
    offered = f"{keys_offered} key{plural} offered" if keys_offered else "no key to offer"
    key = target.identity_file or "~/.ssh/id_ed25519"
    return _build_error(
        "authentication",
        f"Permission denied for {target.user} at {target.address} ({offered}).",
        f"`ssh-copy-id -i {key}.pub -p {target.port} {target.user}@{target.host}`, and have the "
        f"key in the agent (`ssh-add {key}`) or set `identityFile`.",
    )


def too_many_keys(target: Target, keys_offered: int) -> NodeError:
    """sshd ends a login after MaxAuthTries keys, six by default (sshd_config(5))."""
    key = target.identity_file or "~/.ssh/id_ed25519"
    return _build_error(
        "authentication",
        f"{target.address} ended the login of {target.user} before the right one of {keys_offered} "
        "keys was offered.",
        f"Take keys out of the agent (`ssh-add -l`, `ssh-add -d`), or set `identityFile: {key}`, "
        "which is offered first where the agent has many.",
    )


def identity(target: Target, reason: str) -> NodeError:
    return _build_error(
        "identity",
        f"Cannot use the key {target.identity_file}: {reason}.",
        "`pulumi config set --secret sshKeyPassphrase`, or put the key in the agent: "
        f"`ssh-add {target.identity_file}`.",
    )


def sudo(target: Target) -> NodeError:
    user = target.user
    return _build_error(
        "sudo",
        f"Passwordless sudo is not set up for {user} at {target.address}.",
        f"`ssh -t -p {target.port} {user}@{target.host} \"echo '{user} ALL=(ALL) NOPASSWD: ALL' | "
        f'sudo EDITOR=tee visudo -f /etc/sudoers.d/90-{user}"`.',
    )


def broken_sudo(target: Target, message: str) -> NodeError:
    return _build_error(
        "sudo",
        f"sudo on {target.address} is broken ({message}).",
        "As root on the node's own console: `visudo --check`, `ls -l /usr/bin/sudo /etc/sudo.conf "
        "/etc/sudoers.d`; `apt-get install --reinstall sudo` restores owners and modes.",
    )


def lacks(target: Target, message: str) -> NodeError:
    """The agent could not work for want of room or memory."""
    return _build_error(
        "failed",
        f"{target.address} lacks what its report needs ({message}).",
        f"`ssh -p {target.port} {target.user}@{target.host} 'df -h / /tmp /run; df -i /; free -h; "
        "sudo dmesg | tail'` shows a full disk or memory; one that is read-only after an error "
        "needs a reboot and fsck.",
    )


def expired(target: Target, kind: ErrorKind) -> NodeError:
    """PAM lets nobody run a command whose password or account has expired (pam_unix(8)), whether
    sshd asks it or sudo."""
    return _build_error(
        kind,
        f"The password or the account of {target.user} at {target.address} has expired.",
        f"`ssh -t -p {target.port} {target.user}@{target.host}` asks for a new password; "
        f"`sudo chage -l {target.user}` on the node's own console shows the dates.",
    )


def no_shell(target: Target, message: str) -> NodeError:
    return _build_error(
        "no_shell",
        f"The login shell of {target.user} at {target.address} runs no commands ({message}).",
        f"On the node: `sudo chsh -s /bin/bash {target.user}`, and keep /usr/bin in its PATH.",
    )


def python_missing(target: Target) -> NodeError:
    return _build_error(
        "python_missing",
        f"python3 is not installed on {target.address}.",
        f"`ssh -t -p {target.port} {target.user}@{target.host} sudo apt-get install -y python3 "
        "python3-yaml`.",
    )


def timeout(target: Target, limit_s: float) -> NodeError:
    return _build_error(
        "timeout",
        f"{target.address} accepts the login of {target.user}, but its report takes longer than "
        f"{limit_s:g} s.",
        f"See what keeps it busy: `ssh -p {target.port} {target.user}@{target.host} uptime`.",
    )


def failed(target: Target, reason: str) -> NodeError:
    return _build_error(
        "failed",
        f"The agent failed on {target.address}: {reason}.",
        f"Try by hand: `ssh -p {target.port} {target.user}@{target.host} sudo -n python3 "
        "--version` (3.10 or newer is needed).",
    )


def damaged(target: Target, reason: str) -> NodeError:
    return _build_error(
        "damaged",
        f"{target.address} returned invalid output: {reason}.",
        "A login script that prints is the usual cause: `ssh -p "
        f"{target.port} {target.user}@{target.host} true` must print nothing.",
    )


def through(jump: Target, error: NodeError) -> NodeError:
    """The same error, met on the way through a jump host."""
    return _build_error(error.kind, f"Via jump host {jump.address}: {error.what}", error.remedy)
