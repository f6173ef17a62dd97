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
from tests.support.rack import RackHandle, compute_address, list_wired_pairs
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rack

HALF_A = FABRIC_DEVICES[0, "a"]
HALF_B = FABRIC_DEVICES[0, "b"]
RESTART_DELAY_S = 3.0
"""After it Docker would have started a node again: an absence has no event to wait for."""
BURST_BITS = 512 * 1024 * 8  # what a limited link lets pass at once, from a full bucket


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct")
    machines.configure_fabric()
    return machines


def list_marks(machines: RackHandle, hostname: str) -> list[str]:
    _, containers = inventory.find_rack(machines.rack.name)
    return next(list_faults(node) for node in containers if node.hostname == hostname)


def list_carriers(machines: RackHandle, device: str) -> list[bool]:
    return ["LOWER_UP" in machines.read_links(host)[device] for host in machines.hosts]


def has_port_22(machines: RackHandle, hostname: str) -> bool:
    try:
        with socket.create_connection((str(machines.find_node(hostname).address), 22), timeout=2):
            return True
    except OSError:
        return False


def read_sent_bytes(machines: RackHandle, device: str) -> int:
    return int(machines.must("spark-1", f"cat /sys/class/net/{device}/statistics/tx_bytes"))


def transfer_data(machines: RackHandle, size_mib: int) -> tuple[int, float]:
    """Bytes that arrived from spark-1 at spark-2 over half A, by plain TCP, and within how long.

    What the sender calls sent may lie in its socket still when it ends, so the receiver counts. The
    seconds include the login: a busy machine makes them more, never fewer than the link took.
    """
    listens = "until ss --listening --tcp --numeric | grep -q :5201; do sleep 0.2; done"
    machines.must("spark-2", f"(timeout 60 iperf3 -s -1 > /dev/null 2>&1 &); {listens}")
    far = list_wired_pairs(machines.rack)[0][1]
    started = time.monotonic()
    answer = machines.must(
        "spark-1", f"iperf3 --json -c {compute_address(machines.rack, far)} -n {size_mib}M"
    )
    seconds = time.monotonic() - started
    return json.loads(answer)["end"]["sum_received"]["bytes"], seconds


def count_delayed_frames(machines: RackHandle) -> int:
    """How often a limit of rate made a frame wait, over all ports of the rack."""
    argv = ["tc", "-netns", machines.rack.panel, "-json", "-statistics", "qdisc", "show"]
    answer = subprocess.run(argv, check=True, capture_output=True, text=True)
    return sum(qdisc["overlimits"] for qdisc in json.loads(answer.stdout))


def test_link_down_is_seen_at_both_ends_of_one_twin(machines: RackHandle) -> None:
    assert list_carriers(machines, HALF_A) == [True, True]
    machines.break_("link-down", "spark-1", HALF_A)
    assert list_carriers(machines, HALF_A) == [False, False]
    assert list_carriers(machines, HALF_B) == [True, True]
    assert list_marks(machines, "spark-2") == [f"link-down-{HALF_A}"]
    machines.mend("link-down", "spark-1", HALF_A)
    assert list_carriers(machines, HALF_A) == [True, True]
    assert machines.ping(*list_wired_pairs(machines.rack)[0])


def test_link_down_outlasts_a_reboot(machines: RackHandle) -> None:
    machines.break_("link-down", "spark-1", HALF_A)
    machines.break_("reboot", "spark-2")
    machines.mend("reboot", "spark-2")
    machines.must("spark-2", f"sudo ip link set {HALF_A} up")
    assert list_carriers(machines, HALF_A) == [False, False]
    machines.mend("link-down", "spark-1", HALF_A)
    assert list_carriers(machines, HALF_A) == [True, True]


def test_another_mtu_at_one_end_stops_jumbo_frames(machines: RackHandle) -> None:
    pair = list_wired_pairs(machines.rack)[0]
    assert machines.ping(*pair)
    machines.break_("mtu", "spark-2", HALF_A, "1500")
    machines.break_("mtu", "spark-2", HALF_A, "1400")
    assert machines.read_mtu("spark-2", HALF_A) == 1400
    assert not machines.ping(*pair)
    machines.mend("mtu", "spark-2", HALF_A)
    assert machines.read_mtu("spark-2", HALF_A) == 9000
    assert machines.ping(*pair)


def test_a_slow_link_is_slow_and_counts_its_bytes(machines: RackHandle) -> None:
    """The fault's limit is held whatever the machine does; the frames that had to wait show that
    it was the limit that held, and none waits before and after."""
    before, before_b = read_sent_bytes(machines, HALF_A), read_sent_bytes(machines, HALF_B)
    arrived, _ = transfer_data(machines, 20)
    assert arrived > 10 * 2**20
    assert read_sent_bytes(machines, HALF_A) - before >= arrived
    assert read_sent_bytes(machines, HALF_B) - before_b < 2**20
    assert count_delayed_frames(machines) == 0

    machines.break_("slow-link", "50mbit")
    arrived, seconds = transfer_data(machines, 20)
    assert arrived * 8 <= 50 * 10**6 * seconds + BURST_BITS
    assert count_delayed_frames(machines) > 0

    machines.mend("slow-link")
    transfer_data(machines, 20)
    assert count_delayed_frames(machines) == 0


def test_a_stopped_sshd_refuses(machines: RackHandle) -> None:
    machines.break_("sshd-stop", "spark-2")
    assert not has_port_22(machines, "spark-2")
    machines.mend("sshd-stop", "spark-2")
    assert has_port_22(machines, "spark-2")


def test_a_node_without_power_is_gone_and_its_cable_is_dark(machines: RackHandle) -> None:
    machines.break_("off", "spark-2")
    machines.break_("off", "spark-2")
    assert not has_port_22(machines, "spark-2")
    assert "LOWER_UP" not in machines.read_links("spark-1")[HALF_A]
    machines.mend("off", "spark-2")
    assert list_carriers(machines, HALF_A) == [True, True]
    assert machines.ping(*list_wired_pairs(machines.rack)[0])


def test_a_node_that_is_shut_down_from_inside_stays_off(machines: RackHandle) -> None:
    machines.ask("spark-2", "sudo poweroff")
    wait_until(
        lambda: "exited" in {node.state for node in inventory.find_rack(machines.rack.name)[1]},
        "spark-2 does not power off",
        60,
    )
    time.sleep(RESTART_DELAY_S)
    assert not has_port_22(machines, "spark-2")
    assert "LOWER_UP" not in machines.read_links("spark-1")[HALF_A]
    machines.mend("off", "spark-2")
    assert list_carriers(machines, HALF_A) == [True, True]


def test_a_node_that_reboots_itself_comes_back_cabled(machines: RackHandle) -> None:
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = machines.must("spark-2", boot_id)
    machines.ask("spark-2", "sudo reboot")

    def has_rebooted() -> bool:
        result = machines.ask("spark-2", boot_id)
        return result.returncode == 0 and result.stdout != before

    wait_until(has_rebooted, "spark-2 does not come back", 90)
    assert machines.ping(*list_wired_pairs(machines.rack)[0])


def test_a_full_disk_takes_no_write_and_loses_no_file(machines: RackHandle) -> None:
    write = "echo words | sudo tee /etc/rack-test /var/lib/rack-test /usr/local/rack-test"
    machines.must("spark-1", write)
    machines.break_("disk-full", "spark-1")
    answer = machines.ask("spark-1", "echo others | sudo tee -a /etc/rack-test")
    assert "No space left on device" in answer.stderr
    assert machines.must("spark-1", "cat /etc/rack-test") == "words\n"
    assert machines.must("spark-1", "df --output=avail /var/lib | tail -1").strip() == "0"
    machines.mend("disk-full", "spark-1")
    machines.must("spark-1", write)
    assert "rack-full" not in machines.must("spark-1", "mount")
    assert machines.must("spark-1", "docker ps --quiet") == ""


def test_docker_stops_and_starts(machines: RackHandle) -> None:
    assert machines.ask("spark-1", "docker info").returncode == 0
    machines.break_("docker-stop", "spark-1")
    assert machines.must("spark-1", "systemctl is-active docker || true") == "inactive\n"
    machines.mend("docker-stop", "spark-1")
    assert machines.ask("spark-1", "docker info").returncode == 0


def test_a_gpu_is_gone_until_it_is_mended(machines: RackHandle) -> None:
    assert "GB10" in machines.must("spark-1", "nvidia-smi -L")
    machines.break_("gpu-gone", "spark-1")
    answer = machines.ask("spark-1", "nvidia-smi -L")
    assert "GB10" not in answer.stdout
    machines.mend("gpu-gone", "spark-1")
    assert "GB10" in machines.must("spark-1", "nvidia-smi -L")


def test_a_frozen_node_can_be_told_nothing_else(machines: RackHandle) -> None:
    machines.break_("freeze", "spark-1")
    try:
        with pytest.raises(InputError, match="cannot act on spark-1"):
            machines.break_("docker-stop", "spark-1")
    finally:
        machines.mend("freeze", "spark-1")


def test_no_mark_is_left_when_all_is_mended(machines: RackHandle) -> None:
    assert [list_marks(machines, host) for host in machines.hosts] == [[], []]


def test_a_wrong_cabling_is_cabled_as_written(rack: RackFactory) -> None:
    machines = rack(nodes=2, fabric="direct", cabling="spark-1:0a-spark-2:1a")
    lit = {
        (host, device)
        for host in machines.hosts
        for device, flags in machines.read_links(host).items()
        if device in FABRIC_DEVICES.values() and "LOWER_UP" in flags
    }
    assert lit == {("spark-1", HALF_A), ("spark-2", FABRIC_DEVICES[1, "a"])}


def test_a_switch_with_a_small_mtu_stops_jumbo_frames(rack: RackFactory) -> None:
    machines = rack(nodes=2, fabric="switch")
    machines.configure_fabric()
    pair = list_wired_pairs(machines.rack)[0]
    assert machines.ping(*pair)
    machines.break_("mtu", "switch", "1500")
    assert not machines.ping(*pair)
    assert machines.ping(*pair, payload=1472)
    machines.mend("mtu", "switch")
    assert machines.ping(*pair)
