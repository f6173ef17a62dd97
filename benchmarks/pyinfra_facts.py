"""What sparkform observes beside the files that it keeps, read with pyinfra.

Run after pyinfra_deploy.py in the same pyinfra run, never imported by the project. pyinfra's own
fact is used where it has one, a command otherwise; commands of one sort that pyinfra has no fact
for are one fact, as a user of it would write them.
"""

from pyinfra import config, host  # type: ignore[import-not-found]
from pyinfra.facts import docker, files, hardware, server  # type: ignore[import-not-found]

config.SUDO = True

COMMANDS = (
    "nvidia-smi --query-gpu=uuid,compute_cap,driver_version,name --format=csv,noheader",
    "nvidia-smi; nvidia-ctk --version",
    "docker network inspect host; docker node ls; docker service ls",
    "loginctl show-user --property=Linger nvidia; sudo -n -l -U nvidia; id nvidia",
    "ip -j -4 route show table all; ip -j -d address show",
    "ss -H -l -n -t -u -p",
    "timedatectl show; nft -j list ruleset; iptables -S",
    "df -P -B1 /var/lib/sparkform/models /var/lib/docker; cat /proc/swaps",
    "cat /var/lib/sparkform/receipts/*",
)

host.get_fact(server.LinuxDistribution)
host.get_fact(server.KernelVersion)
host.get_fact(hardware.Memory)
host.get_fact(hardware.NetworkDevices)
host.get_fact(docker.DockerSystemInfo)
host.get_fact(docker.DockerContainers)
host.get_fact(files.FindFiles, path="/etc/netplan")
for command in COMMANDS:
    host.get_fact(server.Command, command=f"({command}) 2>/dev/null; true")
