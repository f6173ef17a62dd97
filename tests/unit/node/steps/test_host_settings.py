"""The GPU's clock, earlyoom, held packages: what is said, what is refused, what goes back."""

from __future__ import annotations

import pytest

from node.errors import StepError
from node.host.system import COMMAND_NOT_FOUND, CommandResult
from node.ranks import memory_kills
from node.steps import STEPS, StepRequest, earlyoom, gpu_clock, package_hold, page_cache
from node.verbs import undo
from tests.support.fake_host import BUSY_MHZ, PACKAGES, FakeHost
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import list_differences, run_apply, take_snapshot, undo_all

LIMIT = gpu_clock.Want(2100)
FLOOR_KIB = 2 * 1024**2
OOM = earlyoom.Want(FLOOR_KIB)
DECLARED = {"declared": True}
ASKED = StepRequest(raw=DECLARED)


@pytest.fixture
def host(spark: FakeSpark) -> FakeHost:
    claim_node(spark)
    spark.system.put("/proc/meminfo", "MemTotal:  125000000 kB\nMemFree:   9000000 kB\n")
    host: FakeHost = spark.host
    return host


def describe(host: FakeHost, step: str, want: object) -> list[str]:
    return list_differences(STEPS[step], host.spark.system, want, raw=DECLARED)


def apply(host: FakeHost, step: str, want: object, run: int = 1) -> list[str]:
    return run_apply(host.spark.system, step, want, run=run)


def hold(host: FakeHost, *groups: str) -> package_hold.Want:
    observed = STEPS["package_hold"].observe(host.spark.system, ASKED)
    return package_hold.build_want(groups, observed)


def test_what_is_not_declared_is_not_looked_at(host: FakeHost) -> None:
    calls = len(host.spark.system.script.calls)
    for step in (gpu_clock, earlyoom, package_hold, page_cache):
        step.SPEC.observe(host.spark.system, StepRequest())
    assert len(host.spark.system.script.calls) == calls


def test_a_clock_is_limited_now_and_at_each_boot(host: FakeHost) -> None:
    assert describe(host, "gpu_clock", LIMIT) == ["GPU clock is not limited, will be at 2100 MHz"]
    apply(host, "gpu_clock", LIMIT)
    assert host.limit_mhz == 2100
    assert describe(host, "gpu_clock", LIMIT) == []
    assert apply(host, "gpu_clock", LIMIT, run=2) == ["nothing to do"]


def test_another_limit_is_taken_by_the_unit_that_runs(host: FakeHost) -> None:
    apply(host, "gpu_clock", LIMIT)
    other = gpu_clock.Want(1800)
    assert describe(host, "gpu_clock", other) == ["GPU clock limit is 2100 MHz, will be 1800 MHz"]
    apply(host, "gpu_clock", other, run=2)
    assert host.running[gpu_clock.UNIT] == gpu_clock.render_unit(1800)


def test_drift_of_the_limit_is_said(host: FakeHost) -> None:
    apply(host, "gpu_clock", LIMIT)
    host.demand_mhz, host.limit_mhz = BUSY_MHZ, None
    assert describe(host, "gpu_clock", LIMIT) == [
        "GPU runs at 2418 MHz, will be limited to 2100 MHz"
    ]
    host.running.clear()
    assert describe(host, "gpu_clock", LIMIT)[0] == (
        "unit of the GPU clock limit is stopped, will be started"
    )
    apply(host, "gpu_clock", LIMIT, run=2)
    assert describe(host, "gpu_clock", LIMIT) == []


@pytest.mark.parametrize(
    ("mhz", "reason"),
    [
        (2101, "got 2101); allowed: what `nvidia-smi -q -d SUPPORTED_CLOCKS` lists, 300 to 3000"),
        (2101, "the nearest: 2100 and 2115"),
        (5000, "the nearest: 3000"),
        (150, "the nearest: 300"),
    ],
)
def test_a_clock_that_the_card_does_not_have_is_refused(
    host: FakeHost, mhz: int, reason: str
) -> None:
    want = gpu_clock.Want(mhz)
    (line,) = describe(host, "gpu_clock", want)
    assert reason in line
    with pytest.raises(StepError, match=r"host\.gpuClockMhz"):
        apply(host, "gpu_clock", want)
    assert host.limit_mhz is None
    assert host.spark.system.read(gpu_clock.UNIT_FILE) is None


def test_where_the_driver_lists_no_clocks_its_highest_one_counts(host: FakeHost) -> None:
    host.supported = ()
    assert "at most 3003 MHz (got 3100)" in describe(host, "gpu_clock", gpu_clock.Want(3100))[0]
    apply(host, "gpu_clock", gpu_clock.Want(2101))
    assert host.limit_mhz == 2101


def test_a_driver_that_does_not_answer_leaves_the_limit_unknown(host: FakeHost) -> None:
    apply(host, "gpu_clock", LIMIT)
    host.is_driver_silent = True
    with pytest.raises(StepError, match="NVIDIA-SMI has failed"):
        describe(host, "gpu_clock", LIMIT)
    messages = undo_all(host.spark.system)
    assert any("still limited until the next boot" in message for message in messages)
    assert host.spark.system.read(gpu_clock.UNIT_FILE) is None


def test_a_missing_nvidia_smi_is_named_once(host: FakeHost) -> None:
    host.spark.system.script.commands[("nvidia-smi",)] = lambda argv, stdin: CommandResult(
        COMMAND_NOT_FOUND, "", "nvidia-smi: not found"
    )
    with pytest.raises(StepError, match=r"^nvidia-smi: not found$"):
        describe(host, "gpu_clock", LIMIT)


def test_a_card_that_takes_no_limit_says_so_with_exit_code_0(host: FakeHost) -> None:
    host.refusal = "Setting locked GPU clocks is not supported for GPU 0000000F:01:00.0."
    with pytest.raises(StepError, match="not supported for GPU"):
        apply(host, "gpu_clock", LIMIT)
    assert host.spark.system.read(gpu_clock.UNIT_FILE) is None


def test_earlyoom_must_be_there(host: FakeHost) -> None:
    host.spark.system.path(earlyoom.PROGRAM).unlink()
    (line,) = describe(host, "earlyoom", OOM)
    assert "`sudo apt install earlyoom`" in line
    with pytest.raises(StepError, match="earlyoom is not installed"):
        apply(host, "earlyoom", OOM)


def test_an_earlyoom_that_its_user_has_masked_is_named_before_anything_is_written(
    host: FakeHost,
) -> None:
    path = host.spark.system.path("/etc/systemd/system/earlyoom.service")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/null")
    (line,) = describe(host, "earlyoom", OOM)
    assert "`sudo systemctl unmask earlyoom`" in line
    with pytest.raises(StepError, match="masked"):
        apply(host, "earlyoom", OOM)
    assert host.spark.system.read(memory_kills.DROP_IN) is None


def test_earlyoom_gets_our_settings_and_its_own_ones_back(host: FakeHost) -> None:
    before = take_snapshot(host.spark)
    assert describe(host, "earlyoom", OOM) == [
        "earlyoom has other settings, will be set up and started"
    ]
    apply(host, "earlyoom", OOM)
    assert host.running[memory_kills.UNIT] == earlyoom.render_drop_in(FLOOR_KIB)
    assert f"-M {FLOOR_KIB},{FLOOR_KIB // 2} -s 100,100 -g " in earlyoom.render_drop_in(FLOOR_KIB)
    assert describe(host, "earlyoom", OOM) == []
    host.running.clear()
    assert describe(host, "earlyoom", OOM) == ["earlyoom is stopped, will be started"]
    apply(host, "earlyoom", OOM, run=2)
    undo.undo_step(host.spark.system, "earlyoom", "spark/demo/spark-1/earlyoom")
    assert host.running == {memory_kills.UNIT: None}
    undo_all(host.spark.system)
    claim_node(host.spark)
    assert take_snapshot(host.spark)[1] == before[1]  # type: ignore[index]


def test_another_floor_is_taken_by_the_earlyoom_that_runs(host: FakeHost) -> None:
    apply(host, "earlyoom", OOM)
    other = earlyoom.Want(FLOOR_KIB * 2)
    assert len(describe(host, "earlyoom", other)) == 1
    apply(host, "earlyoom", other, run=2)
    assert host.running[memory_kills.UNIT] == earlyoom.render_drop_in(FLOOR_KIB * 2)


def test_a_floor_above_all_memory_is_refused(host: FakeHost) -> None:
    (line,) = describe(host, "earlyoom", earlyoom.Want(130_000_000))
    assert "minAvailableGib" in line
    assert "less than 119.2" in line


def test_an_earlyoom_that_was_removed_meanwhile_does_not_hold_undo_up(host: FakeHost) -> None:
    apply(host, "earlyoom", OOM)
    host.spark.system.path("/usr/bin/earlyoom").unlink()
    assert any("no longer there" in message for message in undo_all(host.spark.system))


def test_kills_are_read_from_earlyooms_journal(host: FakeHost) -> None:
    apply(host, "earlyoom", OOM)
    line = 'sending SIGTERM to process 16433 uid 0 "VLLM::Worker": badness 1020, VmRSS 1931 MiB'
    host.journal = (
        f"1764525600.250000 spark-1 earlyoom[7]: {line}\n"
        f"1764525600.350000 spark-1 earlyoom[7]: {line}\n"
        "1764525600.4 spark-1 earlyoom[7]: mem avail:  900 of 124000 MiB ( 0.7%)\n"
    )
    observed = earlyoom.SPEC.observe(host.spark.system, ASKED)
    assert observed.kills == (memory_kills.MemoryKill(1764525600.25, "SIGTERM", "VLLM::Worker"),)


def test_packages_are_held_as_they_are_and_only_ours_are_released(host: FakeHost) -> None:
    want = hold(host, "docker", "kernel", "driver")
    assert want.packages == (
        "containerd.io",
        "docker-ce",
        "libnvidia-compute-580:arm64",
        "linux-image-6.14.0-1013-nvidia",
        "nvidia-container-toolkit",
        "nvidia-driver-580-open",
    )
    (line,) = describe(host, "package_hold", want)
    assert line.startswith("not held by apt: containerd.io, docker-ce, libnvidia")
    assert "nvidia-driver-580-open" not in line
    apply(host, "package_hold", want)
    assert describe(host, "package_hold", want) == []
    assert host.selections["linux-libc-dev"] == "install"
    undo_all(host.spark.system)
    assert host.selections == PACKAGES


def test_a_package_released_by_others_is_drift_and_one_removed_is_left_alone(
    host: FakeHost,
) -> None:
    want = hold(host, "docker")
    apply(host, "package_hold", want)
    host.selections["docker-ce"] = "install"
    assert describe(host, "package_hold", want) == ["not held by apt: docker-ce; will be held"]
    del host.selections["containerd.io"]
    undo_all(host.spark.system)
    assert host.selections["nvidia-container-toolkit"] == "install"
    assert host.selections["nvidia-driver-580-open"] == "hold"


def test_a_kernel_that_comes_later_is_held_too(host: FakeHost) -> None:
    apply(host, "package_hold", hold(host, "kernel"))
    host.selections["linux-image-6.17.0-1031-nvidia"] = "install"
    assert describe(host, "package_hold", hold(host, "kernel")) == [
        "not held by apt: linux-image-6.17.0-1031-nvidia; will be held"
    ]


def test_a_group_without_packages_is_named(host: FakeHost) -> None:
    for name in ("docker-ce", "containerd.io", "nvidia-container-toolkit"):
        del host.selections[name]
    want = hold(host, "docker", "kernel")
    with pytest.raises(StepError, match="no package of docker is installed by apt"):
        apply(host, "package_hold", want)
    assert host.selections["linux-image-6.14.0-1013-nvidia"] == "install"


def test_dpkgs_lock_is_waited_for(host: FakeHost, patience: list[float]) -> None:
    host.is_locked = 3
    apply(host, "package_hold", hold(host, "docker"))
    assert len(patience) == 3
    host.is_locked = 10_000
    host.selections["docker-ce"] = "install"
    with pytest.raises(StepError, match="Could not get lock"):
        apply(host, "package_hold", hold(host, "docker"), run=2)


def test_the_limit_of_free_memory_is_written_and_taken_back(host: FakeHost) -> None:
    want = page_cache.Want(8 * 1024**2)
    assert describe(host, "page_cache", want) == [
        "free memory that starts keep, in KiB, is unset, will be 8388608"
    ]
    apply(host, "page_cache", want)
    assert describe(host, "page_cache", want) == []
    undo.undo_step(host.spark.system, "page_cache", "spark/demo/spark-1/page_cache")
    assert describe(host, "page_cache", want) != []
