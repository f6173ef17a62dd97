"""nvidia-smi beyond its recordings: time, faults, selection and what it does not know."""

from __future__ import annotations

import time

import pytest

from sparkrack_tests.shims.conftest import ShimNode

SMI = "usr/bin/nvidia-smi"
QUERY = "--query-gpu=uuid"


def test_an_edit_of_the_node_is_seen_at_the_next_call(node: ShimNode) -> None:
    before = node.run(SMI, "-L").stdout
    node.edit("gpu", uuid="GPU-11111111-2222-3333-4444-555555555555")
    assert node.run(SMI, "-L").stdout != before
    assert "GPU-11111111-2222-3333-4444-555555555555" in node.run(SMI, "-q").stdout


def test_it_takes_as_long_as_the_data_says(node: ShimNode) -> None:
    node.edit("gpu", query_time_s=0.2)
    started = time.monotonic()
    node.run(SMI, "-L")
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("arguments", [[], ["-L"], ["-q"], [QUERY, "--format=csv"]])
def test_a_gpu_that_is_gone_is_not_found(node: ShimNode, arguments: list[str]) -> None:
    assert node.run(SMI, *arguments).returncode == 0
    node.write("etc/rack/faults/gpu-gone", "")
    answer = node.run(SMI, *arguments)
    assert (answer.returncode, answer.stdout) == (6, "No devices were found\n")


def test_the_driver_still_tells_its_version_when_the_gpu_is_gone(node: ShimNode) -> None:
    node.write("etc/rack/faults/gpu-gone", "")
    assert "DRIVER version      : 580.142" in node.run(SMI, "--version").stdout


def test_another_gpu_than_the_first_is_not_found(node: ShimNode) -> None:
    assert node.run(SMI, "-i", "0", "-L").returncode == 0
    assert node.run(SMI, "-i", "1", "-L").returncode == 6


def test_noheader_and_nounits_leave_out_only_what_they_say(node: ShimNode) -> None:
    query = "--query-gpu=power.draw,memory.total,clocks.sm"
    with_units = node.run(SMI, query, "--format=csv").stdout
    assert with_units == (
        "power.draw [W], memory.total [MiB], clocks.sm [MHz]\n3.74 W, [N/A], 2418 MHz\n"
    )
    assert node.run(SMI, query, "--format=csv,noheader").stdout == with_units.splitlines()[1] + "\n"
    assert node.run(SMI, query, "--format=csv,nounits").stdout == (
        "power.draw [W], memory.total [MiB], clocks.sm [MHz]\n3.74, [N/A], 2418\n"
    )


def test_one_section_of_the_log_is_given_alone(node: ShimNode) -> None:
    text = node.run(SMI, "-q", "-d", "MEMORY").stdout
    assert "FB Memory Usage" in text
    assert "Temperature" not in text


def test_no_process_is_listed(node: ShimNode) -> None:
    answer = node.run(SMI, "--query-compute-apps=pid,used_memory", "--format=csv")
    assert answer.stdout == "pid, used_gpu_memory [MiB]\n"


@pytest.mark.parametrize("arguments", [["-pm", "1"], ["-q", "-x"], ["-lmc", "5100"], ["topo"]])
def test_what_the_shim_does_not_know_is_an_error_and_no_answer(
    node: ShimNode, arguments: list[str]
) -> None:
    answer = node.run(SMI, *arguments)
    assert (answer.returncode, answer.stdout) == (125, "")
    assert answer.stderr.startswith("rack shim nvidia-smi: does not know ")


def test_a_damaged_data_file_is_no_answer_either(node: ShimNode) -> None:
    node.write("etc/rack/gpu.json", "{")
    assert node.run(SMI, "-L").returncode != 0


def test_active_reasons_are_a_mask_under_both_of_their_names(node: ShimNode) -> None:
    query = "--query-gpu=clocks_event_reasons.active,clocks_throttle_reasons.active"
    answer = node.run(SMI, query, "--format=csv,noheader")
    assert answer.stdout == "0x0000000000000001, 0x0000000000000001\n"


def test_a_loop_answers_again_with_what_has_changed(node: ShimNode) -> None:
    """Ended by its first pause: the second answer is the last one here."""
    pauses = []

    def change(seconds: float) -> None:
        pauses.append(seconds)
        if seconds == 7 and pauses.count(7) == 2:
            raise SystemExit(0)
        node.edit("gpu", utilization_percent=96)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", change)
        query = "--query-gpu=utilization.gpu"
        answer = node.run(SMI, query, "--format=csv,noheader,nounits", "--loop=7")
    assert answer.stdout.splitlines() == ["0", "96"]


CLOCK = ("--query-gpu=clocks.gr", "--format=csv,noheader,nounits")


def test_a_clock_limit_lasts_until_it_is_reset_or_the_driver_forgets_it(node: ShimNode) -> None:
    free = node.run(SMI, *CLOCK).stdout
    assert node.run(SMI, "-lgc", "0,2100").returncode == 0
    assert node.run(SMI, *CLOCK).stdout == "2100\n"
    assert node.run(SMI, "-rgc").returncode == 0
    assert node.run(SMI, *CLOCK).stdout == free
    node.run(SMI, "-lgc", "2107")
    assert node.run(SMI, *CLOCK).stdout == "2100\n", "the nearest clock that the card has"
    (node.root / "dev/shm/rack-gpu-clock-limit").unlink()
    assert node.run(SMI, *CLOCK).stdout == free


def test_the_clocks_that_the_card_has_are_listed_highest_first(node: ShimNode) -> None:
    query = ("--query-supported-clocks=gr", "--format=csv,noheader,nounits")
    clocks = [int(line) for line in node.run(SMI, *query).stdout.split()]
    assert clocks[:2] == [3000, 2985]
    assert clocks[-1] == 300


def test_a_limit_that_is_no_clock_is_refused(node: ShimNode) -> None:
    assert node.run(SMI, "-lgc", "fast").returncode == 2
