"""Every fault of `rack break` is seen as on a real machine, and mending takes it back.

Each test looks before, while and after: the looks before and after are the control of the look
between them.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time

import pytest

from sparkform.errors import InputError
from sparkrack import inventory
from sparkrack.ports import FABRIC_DEVICES
from sparkrack.status import list_faults
from tests.rack.conftest import RackFactory
from tests.support.rack import RackHandle, address, wired_pairs

pytestmark = pytest.mark.rack

HALF_A = FABRIC_DEVICES[0, "a"]
HALF_B = FABRIC_DEVICES[0, "b"]
BURST_BITS = 512 * 1024 * 8  # what a limited link lets pass at once, from a full bucket


@pytest.fixture(scope="module")
def direct(rack: RackFactory) -> RackHandle:
    made = rack(nodes=2, fabric="direct")
    made.configure_fabric()
    return made


def marks(made: RackHandle, hostname: str) -> list[str]:
    _, found = inventory.find_rack(made.rack.name)
    return next(list_faults(node) for node in found if node.hostname == hostname)


def carriers(made: RackHandle, device: str) -> list[bool]:
    return ["LOWER_UP" in made.links(host)[device] for host in made.hosts]


def has_port_22(made: RackHandle, hostname: str) -> bool:
    try:
        with socket.create_connection((str(made.node(hostname).address), 22), timeout=2):
            return True
    except OSError:
        return False


def sent_bytes(made: RackHandle, device: str) -> int:
    return int(made.must("spark-1", f"cat /sys/class/net/{device}/statistics/tx_bytes"))


def transfer(made: RackHandle, size_mib: int) -> tuple[int, float]:
    """Bytes that arrived from spark-1 at spark-2 over half A, by plain TCP, and within how long.

    What the sender calls sent may lie in its socket still when it ends, so the receiver counts. The
    seconds include the login: a busy machine makes them more, never fewer than the link took.
    """
    listens = "until ss --listening --tcp --numeric | grep -q :5201; do sleep 0.2; done"
    made.must("spark-2", f"(timeout 60 iperf3 -s -1 > /dev/null 2>&1 &); {listens}")
    far = wired_pairs(made.rack)[0][1]
    started = time.monotonic()
    answer = made.must("spark-1", f"iperf3 --json -c {address(made.rack, far)} -n {size_mib}M")
    seconds = time.monotonic() - started
    return json.loads(answer)["end"]["sum_received"]["bytes"], seconds


def frames_held_back(made: RackHandle) -> int:
    """How often a limit of rate made a frame wait, over all ports of the rack."""
    argv = ["tc", "-netns", made.rack.panel, "-json", "-statistics", "qdisc", "show"]
    answer = subprocess.run(argv, check=True, capture_output=True, text=True)
    return sum(qdisc["overlimits"] for qdisc in json.loads(answer.stdout))


def test_link_down_is_seen_at_both_ends_of_one_twin(direct: RackHandle) -> None:
    assert carriers(direct, HALF_A) == [True, True]
    direct.break_("link-down", "spark-1", HALF_A)
    assert carriers(direct, HALF_A) == [False, False]
    assert carriers(direct, HALF_B) == [True, True]
    assert marks(direct, "spark-2") == [f"link-down-{HALF_A}"]
    direct.mend("link-down", "spark-1", HALF_A)
    assert carriers(direct, HALF_A) == [True, True]
    assert direct.ping(*wired_pairs(direct.rack)[0])


def test_link_down_outlasts_a_reboot(direct: RackHandle) -> None:
    direct.break_("link-down", "spark-1", HALF_A)
    direct.break_("reboot", "spark-2")
    direct.mend("reboot", "spark-2")
    direct.must("spark-2", f"sudo ip link set {HALF_A} up")
    assert carriers(direct, HALF_A) == [False, False]
    direct.mend("link-down", "spark-1", HALF_A)
    assert carriers(direct, HALF_A) == [True, True]


def test_another_mtu_at_one_end_stops_jumbo_frames(direct: RackHandle) -> None:
    pair = wired_pairs(direct.rack)[0]
    assert direct.ping(*pair)
    direct.break_("mtu", "spark-2", HALF_A, "1500")
    direct.break_("mtu", "spark-2", HALF_A, "1400")
    assert direct.mtu("spark-2", HALF_A) == 1400
    assert not direct.ping(*pair)
    direct.mend("mtu", "spark-2", HALF_A)
    assert direct.mtu("spark-2", HALF_A) == 9000
    assert direct.ping(*pair)


def test_a_slow_link_is_slow_and_counts_its_bytes(direct: RackHandle) -> None:
    """The fault's limit is held whatever the machine does; the frames that had to wait show that
    it was the limit that held, and none waits before and after."""
    before, other = sent_bytes(direct, HALF_A), sent_bytes(direct, HALF_B)
    arrived, _ = transfer(direct, 20)
    assert arrived > 10 * 2**20
    assert sent_bytes(direct, HALF_A) - before >= arrived
    assert sent_bytes(direct, HALF_B) - other < 2**20
    assert frames_held_back(direct) == 0

    direct.break_("slow-link", "50mbit")
    arrived, seconds = transfer(direct, 20)
    assert arrived * 8 <= 50 * 10**6 * seconds + BURST_BITS
    assert frames_held_back(direct) > 0

    direct.mend("slow-link")
    transfer(direct, 20)
    assert frames_held_back(direct) == 0


def test_a_stopped_sshd_refuses(direct: RackHandle) -> None:
    direct.break_("sshd-stop", "spark-2")
    assert not has_port_22(direct, "spark-2")
    direct.mend("sshd-stop", "spark-2")
    assert has_port_22(direct, "spark-2")


def test_a_node_without_power_is_gone_and_its_cable_is_dark(direct: RackHandle) -> None:
    direct.break_("off", "spark-2")
    direct.break_("off", "spark-2")
    assert not has_port_22(direct, "spark-2")
    assert "LOWER_UP" not in direct.links("spark-1")[HALF_A]
    direct.mend("off", "spark-2")
    assert carriers(direct, HALF_A) == [True, True]
    assert direct.ping(*wired_pairs(direct.rack)[0])


def test_a_node_that_is_shut_down_from_inside_stays_off(direct: RackHandle) -> None:
    direct.ask("spark-2", "sudo poweroff")
    deadline = time.monotonic() + 60
    while "exited" not in {node.state for node in inventory.find_rack(direct.rack.name)[1]}:
        assert time.monotonic() < deadline
        time.sleep(1)
    time.sleep(3)  # Docker would have started it again by now
    assert not has_port_22(direct, "spark-2")
    assert "LOWER_UP" not in direct.links("spark-1")[HALF_A]
    direct.mend("off", "spark-2")
    assert carriers(direct, HALF_A) == [True, True]


def test_a_node_that_reboots_itself_comes_back_cabled(direct: RackHandle) -> None:
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = direct.must("spark-2", boot_id)
    direct.ask("spark-2", "sudo reboot")
    deadline = time.monotonic() + 90
    while (answer := direct.ask("spark-2", boot_id)).returncode or answer.stdout == before:
        assert time.monotonic() < deadline
        time.sleep(1)
    assert direct.ping(*wired_pairs(direct.rack)[0])


def test_a_full_disk_takes_no_write_and_loses_no_file(direct: RackHandle) -> None:
    write = "echo words | sudo tee /etc/rack-test /var/lib/rack-test /usr/local/rack-test"
    direct.must("spark-1", write)
    direct.break_("disk-full", "spark-1")
    answer = direct.ask("spark-1", "echo others | sudo tee -a /etc/rack-test")
    assert "No space left on device" in answer.stderr
    assert direct.must("spark-1", "cat /etc/rack-test") == "words\n"
    assert direct.must("spark-1", "df --output=avail /var/lib | tail -1").strip() == "0"
    direct.mend("disk-full", "spark-1")
    direct.must("spark-1", write)
    assert "rack-full" not in direct.must("spark-1", "mount")
    assert direct.must("spark-1", "docker ps --quiet") == ""


def test_docker_stops_and_starts(direct: RackHandle) -> None:
    assert direct.ask("spark-1", "docker info").returncode == 0
    direct.break_("docker-stop", "spark-1")
    assert direct.must("spark-1", "systemctl is-active docker || true") == "inactive\n"
    direct.mend("docker-stop", "spark-1")
    assert direct.ask("spark-1", "docker info").returncode == 0


def test_a_gpu_is_gone_until_it_is_mended(direct: RackHandle) -> None:
    assert "GB10" in direct.must("spark-1", "nvidia-smi -L")
    direct.break_("gpu-gone", "spark-1")
    answer = direct.ask("spark-1", "nvidia-smi -L")
    assert "GB10" not in answer.stdout
    direct.mend("gpu-gone", "spark-1")
    assert "GB10" in direct.must("spark-1", "nvidia-smi -L")


def test_a_frozen_node_can_be_told_nothing_else(direct: RackHandle) -> None:
    direct.break_("freeze", "spark-1")
    try:
        with pytest.raises(InputError, match="cannot act on spark-1"):
            direct.break_("docker-stop", "spark-1")
    finally:
        direct.mend("freeze", "spark-1")


def test_no_mark_is_left_when_all_is_mended(direct: RackHandle) -> None:
    assert [marks(direct, host) for host in direct.hosts] == [[], []]


def test_a_wrong_cabling_is_cabled_as_written(rack: RackFactory) -> None:
    wrong = rack(nodes=2, fabric="direct", cabling="spark-1:0a-spark-2:1a")
    lit = {
        (host, device)
        for host in wrong.hosts
        for device, flags in wrong.links(host).items()
        if device in FABRIC_DEVICES.values() and "LOWER_UP" in flags
    }
    assert lit == {("spark-1", HALF_A), ("spark-2", FABRIC_DEVICES[1, "a"])}


def test_a_switch_with_a_small_mtu_stops_jumbo_frames(rack: RackFactory) -> None:
    behind = rack(nodes=2, fabric="switch")
    behind.configure_fabric()
    pair = wired_pairs(behind.rack)[0]
    assert behind.ping(*pair)
    behind.break_("mtu", "switch", "1500")
    assert not behind.ping(*pair)
    assert behind.ping(*pair, payload=1472)
    behind.mend("mtu", "switch")
    assert behind.ping(*pair)
