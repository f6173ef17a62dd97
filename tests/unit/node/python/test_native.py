"""The steps of native engines: killed at every effect, undone, and others' things left alone."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import StepError
from node.host.paths import NCCL_FOLDER, VIRTUALENV
from node.python import atomic_tree, packages
from node.steps import STEPS, StepRequest, native_guard, native_nccl, native_venv
from tests.support import node_steps
from tests.support.fake_python import PYTHON, SITE, add_python, build_lock_line
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import run_apply, run_lives, take_snapshot, undo_all

pytestmark = pytest.mark.usefixtures("patience")

LOCK = (
    build_lock_line("vllm", "0.32.0")
    + build_lock_line("torch-c-dlpack-ext", "0.1.5")
    + build_lock_line("transformers", "5.19.0")
)
NCCL = build_lock_line("nvidia-nccl-cu13", "2.30.7")
VENV: dict[str, Any] = {
    "path": VIRTUALENV,
    "python": PYTHON,
    "lock": LOCK,
    "links": {"nvidia/nccl": NCCL_FOLDER},
    "free_bytes": 1,
}
WANTS: dict[str, dict[str, Any]] = {
    "native_venv": VENV,
    "native_nccl": {"path": NCCL_FOLDER, "lock": NCCL, "free_bytes": 1},
    "native_guard:qwen": {
        "service": "qwen",
        "unit": "sparkform-qwen.service",
        "kernels": ["CutlassFp8BlockScaledMMKernel"],
    },
}
LIBRARY = {"nvidia-nccl-cu13": "nvidia/nccl/lib/libnccl.so.2"}


def machine(make_spark) -> FakeSpark:
    """A Spark with Python, on which systemd reads its units again and forgets nothing."""
    spark: FakeSpark = make_spark()
    add_python(spark, LIBRARY)
    claim_node(spark)
    return spark


def prepare_spark(make_spark, step: str) -> FakeSpark:
    """NCCL comes after the environment, whose pip fetches it."""
    spark = machine(make_spark)
    if step == "native_nccl":
        run_apply(spark.system, "native_venv", VENV)
    return spark


def apply_step(spark: FakeSpark, step: str) -> list[str]:
    claim_node(spark)
    return run_apply(spark.system, step, WANTS[step])


def list_differences(spark: FakeSpark, step: str) -> list[str]:
    spec = STEPS[step]
    want = spec.parse_want(WANTS[step])
    return node_steps.list_differences(spec, spark.system, want, unit="sparkform-qwen.service")


def get_tree_path(want: dict[str, Any] = VENV) -> str:
    return atomic_tree.get_tree_folder("native_venv", f"{want['python']}\n{want['lock']}")


@pytest.mark.parametrize("step", WANTS)
def test_apply_brings_what_is_wanted_and_a_second_one_finds_nothing_to_do(make_spark, step) -> None:
    spark = prepare_spark(make_spark, step)
    assert list_differences(spark, step)
    assert apply_step(spark, step)
    assert list_differences(spark, step) == []
    before = take_snapshot(spark)
    assert apply_step(spark, step) == ["nothing to do"]
    assert take_snapshot(spark) == before


@pytest.mark.parametrize("step", WANTS)
def test_undo_gives_the_machine_back(make_spark, step) -> None:
    spark = prepare_spark(make_spark, step)
    apply_step(spark, step)
    undo_all(spark.system)
    fresh = make_spark()
    add_python(fresh)
    assert take_snapshot(spark) == take_snapshot(fresh)


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_converges_and_still_goes_back(make_spark, step) -> None:
    fresh = make_spark()
    add_python(fresh)
    before = take_snapshot(fresh)
    for spark in run_lives(
        lambda: prepare_spark(make_spark, step), lambda spark: apply_step(spark, step)
    ):
        apply_step(spark, step)
        assert list_differences(spark, step) == []
        undo_all(spark.system)
        assert take_snapshot(spark) == before


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_is_undone_without_another_apply(make_spark, step) -> None:
    fresh = make_spark()
    add_python(fresh)
    before = take_snapshot(fresh)
    for spark in run_lives(
        lambda: prepare_spark(make_spark, step), lambda spark: apply_step(spark, step)
    ):
        undo_all(spark.system)
        assert take_snapshot(spark) == before


def test_an_undo_killed_anywhere_is_finished_by_the_next(make_spark) -> None:
    fresh = make_spark()
    add_python(fresh)
    before = take_snapshot(fresh)

    def prepare() -> FakeSpark:
        spark = machine(make_spark)
        for step in WANTS:
            apply_step(spark, step)
        return spark

    for spark in run_lives(prepare, lambda spark: undo_all(spark.system)):
        undo_all(spark.system)
        assert take_snapshot(spark) == before


def test_a_killed_installation_is_never_shown_and_goes_on_with_what_is_there(make_spark) -> None:
    """Nothing stands at the path before the tree is whole, and whole packages are kept."""
    shown_too_early, fetched_again = [], []
    for spark in run_lives(
        lambda: machine(make_spark), lambda spark: apply_step(spark, "native_venv")
    ):
        is_shown = spark.system.read_link(VIRTUALENV) is not None
        versions = packages.list_installed(spark.system, f"{get_tree_path()}/{SITE}").versions
        shown_too_early.append(is_shown and versions != packages.parse_versions(LOCK))
        spark.python.fetched.clear()
        apply_step(spark, "native_venv")
        fetched_again.append(set(versions) & set(spark.python.fetched))
    assert not any(shown_too_early)
    assert not any(fetched_again)


def test_a_package_removed_by_hand_is_drift_and_alone_is_fetched_again(make_spark) -> None:
    spark = machine(make_spark)
    apply_step(spark, "native_venv")
    spark.python.fetched.clear()
    spark.system.remove_tree(f"{get_tree_path()}/{SITE}/transformers-5.19.0.dist-info")
    assert list_differences(spark, "native_venv") == ["transformers is missing, will be 5.19.0"]
    assert get_disturbance(spark) == "host"
    apply_step(spark, "native_venv")
    assert spark.python.fetched == ["transformers"]
    assert list_differences(spark, "native_venv") == []


def test_other_versions_and_more_packages_than_the_lock_are_drift_too(make_spark) -> None:
    spark = machine(make_spark)
    apply_step(spark, "native_venv")
    spark.system.remove_tree(f"{get_tree_path()}/{SITE}/vllm-0.32.0.dist-info")
    spark.system.put(f"{get_tree_path()}/{SITE}/vllm-0.31.0.dist-info/INSTALLER", "pip")
    spark.system.put(f"{get_tree_path()}/{SITE}/Flash_Attn-2.8.dist-info/INSTALLER", "pip")
    assert list_differences(spark, "native_venv") == [
        "vllm is 0.31.0, will be 0.32.0",
        "flash-attn 2.8 is not in the lock, will be removed",
    ]
    apply_step(spark, "native_venv")
    assert list_differences(spark, "native_venv") == []


def test_of_many_packages_that_differ_the_first_few_are_named() -> None:
    old = "".join(build_lock_line(f"p{number}", "1.0") for number in range(9))
    phrases = packages.format_differences(old, old.replace("1.0", "2.0"))
    assert phrases[0] == "p0 is 1.0, will be 2.0"
    assert phrases[5:] == ["and 4 more packages differ"]
    few = "".join(old.splitlines(keepends=True)[:6])
    assert len(packages.format_differences(few, few.replace("1.0", "2.0"))) == 6


def test_a_changed_link_is_drift_and_put_right(make_spark) -> None:
    spark = machine(make_spark)
    apply_step(spark, "native_venv")
    path = f"{get_tree_path()}/{SITE}/nvidia/nccl"
    spark.system.remove(path)
    spark.system.link(path, "/usr/lib")
    assert list_differences(spark, "native_venv") == [
        "link nvidia/nccl is /usr/lib, will be /opt/sparkform/nccl"
    ]
    apply_step(spark, "native_venv")
    assert spark.system.read_link(path) == NCCL_FOLDER


def get_disturbance(spark: FakeSpark) -> str:
    spec = native_venv.SPEC
    want = spec.parse_want(VENV)
    return spec.get_disturbance(node_steps.read_have(spec, spark.system, want), want)


def test_a_new_lock_replaces_the_tree_and_the_old_one_goes(make_spark) -> None:
    spark = machine(make_spark)
    apply_step(spark, "native_venv")
    newer = {
        **VENV,
        "lock": LOCK.replace(build_lock_line("vllm", "0.32.0"), build_lock_line("vllm", "0.33.0")),
    }
    run_apply(spark.system, "native_venv", newer, run=2)
    assert spark.system.read_link(VIRTUALENV) == get_tree_path(newer)
    assert spark.system.get_state(get_tree_path()) is None


def test_what_others_put_at_the_path_is_seen_as_theirs_and_never_touched(make_spark) -> None:
    spark = machine(make_spark)
    spark.system.put(f"{VIRTUALENV}/{SITE}/vllm-0.26.0.dist-info/INSTALLER", "pip")
    before = take_snapshot(spark)
    observed = native_venv.observe(spark.system, StepRequest())
    assert observed.foreign is True
    assert observed.packages == {"vllm": "0.26.0"}
    with pytest.raises(StepError, match="not made by sparkform and stays as it is"):
        apply_step(spark, "native_venv")
    undo_all(spark.system)
    fresh = machine(make_spark)
    fresh.system.put(f"{VIRTUALENV}/{SITE}/vllm-0.26.0.dist-info/INSTALLER", "pip")
    undo_all(fresh.system)
    assert take_snapshot(spark) == take_snapshot(fresh)
    assert before != take_snapshot(fresh), "the control: a claim shows in the picture"


def test_too_little_room_is_said_before_a_byte_is_fetched(make_spark) -> None:
    spark = machine(make_spark)
    with pytest.raises(StepError, match=r"need 1048576\.0 GiB below /opt/sparkform/trees"):
        run_apply(spark.system, "native_venv", {**VENV, "free_bytes": 2**50})
    assert spark.python.fetched == []
    assert spark.system.get_state(get_tree_path()) is None


def test_a_wheel_with_another_digest_is_refused(make_spark) -> None:
    spark = machine(make_spark)
    planted = LOCK.replace("sha256:vllm-0.32.0", "sha256:planted")
    with pytest.raises(StepError, match="DO NOT MATCH THE HASHES"):
        run_apply(spark.system, "native_venv", {**VENV, "lock": planted})
    assert spark.system.read_link(VIRTUALENV) is None


def test_a_node_without_ensurepip_is_told_which_package_brings_it(make_spark) -> None:
    spark = machine(make_spark)
    spark.system.remove(f"/usr/lib/python{PYTHON}/ensurepip/__init__.py")
    with pytest.raises(StepError, match=r"apt-get install python3\.12-venv"):
        apply_step(spark, "native_venv")


def test_nccl_without_its_library_is_drift(make_spark) -> None:
    spark = prepare_spark(make_spark, "native_nccl")
    apply_step(spark, "native_nccl")
    target = spark.system.read_link(NCCL_FOLDER)
    spark.system.remove(f"{target}/{native_nccl.LIBRARY}")
    assert list_differences(spark, "native_nccl") == ["nvidia-nccl-cu13 is missing, will be 2.30.7"]
    apply_step(spark, "native_nccl")
    assert list_differences(spark, "native_nccl") == []


def test_the_guard_is_vllms_own_switch_in_a_drop_in_that_systemd_reads(make_spark) -> None:
    spark = machine(make_spark)
    apply_step(spark, "native_guard:qwen")
    path = f"/etc/systemd/system/sparkform-qwen.service.d/{native_guard.DROP_IN_NAME}"
    text = spark.system.read(path) or ""
    assert "Environment=VLLM_DISABLED_KERNELS=CutlassFp8BlockScaledMMKernel\n" in text
    assert ["systemctl", "daemon-reload"] in spark.system.script.calls
    spark.system.write(path, text.replace("Block", "Other"))
    assert list_differences(spark, "native_guard:qwen") == [
        "VLLM_DISABLED_KERNELS is CutlassFp8OtherScaledMMKernel, "
        "will be CutlassFp8BlockScaledMMKernel"
    ]
