"""The steps of native engines: killed at every effect, undone, and others' things left alone."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import Refusal
from node.python import atomic_tree, packages
from node.steps import STEPS, native_guard, native_nccl, native_venv
from tests.support.fake_python import PYTHON, SITE, line, with_python
from tests.support.fake_spark import FakeSpark, claim
from tests.support.node_steps import lives, picture, run_apply, undo_all

pytestmark = pytest.mark.usefixtures("patience")

LOCK = line("vllm", "0.32.0") + line("torch-c-dlpack-ext", "0.1.5") + line("transformers", "5.19.0")
NCCL = line("nvidia-nccl-cu13", "2.30.7")
VENV: dict[str, Any] = {
    "path": native_venv.PATH,
    "python": PYTHON,
    "lock": LOCK,
    "links": {"nvidia/nccl": native_nccl.PATH},
    "free_bytes": 1,
}
WANTS: dict[str, dict[str, Any]] = {
    "native_venv": VENV,
    "native_nccl": {"path": native_nccl.PATH, "lock": NCCL, "free_bytes": 1},
    "native_guard:qwen": {
        "service": "qwen",
        "unit": "sparkform-qwen.service",
        "kernels": ["CutlassFp8BlockScaledMMKernel"],
    },
}
LIBRARY = {"nvidia-nccl-cu13": "nvidia/nccl/lib/libnccl.so.2"}


def machine(make) -> FakeSpark:
    """A Spark with Python, on which systemd reads its units again and forgets nothing."""
    one: FakeSpark = make()
    with_python(one, LIBRARY)
    claim(one)
    return one


def ready_for(make, step: str) -> FakeSpark:
    """NCCL comes after the environment, whose pip fetches it."""
    one = machine(make)
    if step == "native_nccl":
        run_apply(one.system, "native_venv", VENV)
    return one


def applied(one: FakeSpark, step: str) -> list[str]:
    claim(one)
    return run_apply(one.system, step, WANTS[step])


def difference(one: FakeSpark, step: str) -> list[str]:
    found, want = STEPS[step], WANTS[step]
    return found.differences(found.narrow(found.observe(one.system, want), want), want)


def tree(want: dict[str, Any] = VENV) -> str:
    return atomic_tree.folder("native_venv", f"{want['python']}\n{want['lock']}")


@pytest.mark.parametrize("step", WANTS)
def test_apply_brings_what_is_wanted_and_a_second_one_finds_nothing_to_do(make, step) -> None:
    one = ready_for(make, step)
    assert difference(one, step)
    assert applied(one, step)
    assert difference(one, step) == []
    before = picture(one)
    assert applied(one, step) == ["nothing to do"]
    assert picture(one) == before


@pytest.mark.parametrize("step", WANTS)
def test_undo_gives_the_machine_back(make, step) -> None:
    one = ready_for(make, step)
    applied(one, step)
    undo_all(one.system)
    fresh = make()
    with_python(fresh)
    assert picture(one) == picture(fresh)


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_converges_and_still_goes_back(make, step) -> None:
    fresh = make()
    with_python(fresh)
    before = picture(fresh)
    for one in lives(lambda: ready_for(make, step), lambda one: applied(one, step)):
        applied(one, step)
        assert difference(one, step) == []
        undo_all(one.system)
        assert picture(one) == before


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_is_undone_without_another_apply(make, step) -> None:
    fresh = make()
    with_python(fresh)
    before = picture(fresh)
    for one in lives(lambda: ready_for(make, step), lambda one: applied(one, step)):
        undo_all(one.system)
        assert picture(one) == before


def test_an_undo_killed_anywhere_is_finished_by_the_next(make) -> None:
    fresh = make()
    with_python(fresh)
    before = picture(fresh)

    def done() -> FakeSpark:
        one = machine(make)
        for step in WANTS:
            applied(one, step)
        return one

    for one in lives(done, lambda one: undo_all(one.system)):
        undo_all(one.system)
        assert picture(one) == before


def test_a_killed_installation_is_never_shown_and_goes_on_with_what_is_there(make) -> None:
    """Nothing stands at the path before the tree is whole, and whole packages are kept."""
    shown, kept = [], []
    for one in lives(lambda: machine(make), lambda one: applied(one, "native_venv")):
        is_shown = one.system.link_target(native_venv.PATH) is not None
        there = packages.installed(one.system, f"{tree()}/{SITE}").versions
        shown.append(is_shown and there != packages.versions(LOCK))
        one.python.fetched.clear()
        applied(one, "native_venv")
        kept.append(set(there) & set(one.python.fetched))
    assert not any(shown)
    assert not any(kept)


def test_a_package_removed_by_hand_is_drift_and_alone_is_fetched_again(make) -> None:
    one = machine(make)
    applied(one, "native_venv")
    one.python.fetched.clear()
    one.system.remove_tree(f"{tree()}/{SITE}/transformers-5.19.0.dist-info")
    assert difference(one, "native_venv") == ["transformers is missing, will be 5.19.0"]
    assert disturbance(one) == "host"
    applied(one, "native_venv")
    assert one.python.fetched == ["transformers"]
    assert difference(one, "native_venv") == []


def test_other_versions_and_more_packages_than_the_lock_are_drift_too(make) -> None:
    one = machine(make)
    applied(one, "native_venv")
    one.system.remove_tree(f"{tree()}/{SITE}/vllm-0.32.0.dist-info")
    one.system.put(f"{tree()}/{SITE}/vllm-0.31.0.dist-info/INSTALLER", "pip")
    one.system.put(f"{tree()}/{SITE}/Flash_Attn-2.8.dist-info/INSTALLER", "pip")
    assert difference(one, "native_venv") == [
        "vllm is 0.31.0, will be 0.32.0",
        "flash-attn 2.8 is not in the lock, will be removed",
    ]
    applied(one, "native_venv")
    assert difference(one, "native_venv") == []


def test_of_many_packages_that_differ_the_first_few_are_named() -> None:
    old = "".join(line(f"p{number}", "1.0") for number in range(9))
    said = packages.phrases(old, old.replace("1.0", "2.0"))
    assert said[0] == "p0 is 1.0, will be 2.0"
    assert said[5:] == ["and 4 more packages differ"]
    few = "".join(old.splitlines(keepends=True)[:6])
    assert len(packages.phrases(few, few.replace("1.0", "2.0"))) == 6


def test_a_changed_link_is_drift_and_put_right(make) -> None:
    one = machine(make)
    applied(one, "native_venv")
    place = f"{tree()}/{SITE}/nvidia/nccl"
    one.system.remove(place)
    one.system.link(place, "/usr/lib")
    assert difference(one, "native_venv") == [
        "link nvidia/nccl is /usr/lib, will be /opt/sparkform/nccl"
    ]
    applied(one, "native_venv")
    assert one.system.link_target(place) == native_nccl.PATH


def disturbance(one: FakeSpark) -> str:
    want = WANTS["native_venv"]
    return native_venv.disturbs(
        native_venv.narrow(native_venv.observe(one.system, want), want), want
    )


def test_a_new_lock_replaces_the_tree_and_the_old_one_goes(make) -> None:
    one = machine(make)
    applied(one, "native_venv")
    newer = {**VENV, "lock": LOCK.replace(line("vllm", "0.32.0"), line("vllm", "0.33.0"))}
    run_apply(one.system, "native_venv", newer, run=2)
    assert one.system.link_target(native_venv.PATH) == tree(newer)
    assert one.system.state(tree()) is None


def test_what_others_put_at_the_path_is_seen_as_theirs_and_never_touched(make) -> None:
    one = machine(make)
    one.system.put(f"{native_venv.PATH}/{SITE}/vllm-0.26.0.dist-info/INSTALLER", "pip")
    before = picture(one)
    seen = native_venv.observe(one.system, {})
    assert seen["foreign"] is True
    assert seen["packages"] == {"vllm": "0.26.0"}
    with pytest.raises(Refusal, match="made by others and is left as it is"):
        applied(one, "native_venv")
    undo_all(one.system)
    fresh = machine(make)
    fresh.system.put(f"{native_venv.PATH}/{SITE}/vllm-0.26.0.dist-info/INSTALLER", "pip")
    undo_all(fresh.system)
    assert picture(one) == picture(fresh)
    assert before != picture(fresh), "the control: a claim shows in the picture"


def test_too_little_room_is_said_before_a_byte_is_fetched(make) -> None:
    one = machine(make)
    with pytest.raises(Refusal, match=r"need 1048576\.0 GiB below /opt/sparkform/trees"):
        run_apply(one.system, "native_venv", {**VENV, "free_bytes": 2**50})
    assert one.python.fetched == []
    assert one.system.state(tree()) is None


def test_a_wheel_with_another_digest_is_refused(make) -> None:
    one = machine(make)
    planted = LOCK.replace("sha256:vllm-0.32.0", "sha256:planted")
    with pytest.raises(Refusal, match="DO NOT MATCH THE HASHES"):
        run_apply(one.system, "native_venv", {**VENV, "lock": planted})
    assert one.system.link_target(native_venv.PATH) is None


def test_a_node_without_ensurepip_is_told_which_package_brings_it(make) -> None:
    one = machine(make)
    one.system.remove(f"/usr/lib/python{PYTHON}/ensurepip/__init__.py")
    with pytest.raises(Refusal, match=r"apt-get install python3\.12-venv"):
        applied(one, "native_venv")


def test_nccl_without_its_library_is_drift(make) -> None:
    one = ready_for(make, "native_nccl")
    applied(one, "native_nccl")
    target = one.system.link_target(native_nccl.PATH)
    one.system.remove(f"{target}/{native_nccl.LIBRARY}")
    assert difference(one, "native_nccl") == ["nvidia-nccl-cu13 is missing, will be 2.30.7"]
    applied(one, "native_nccl")
    assert difference(one, "native_nccl") == []


def test_the_guard_is_vllms_own_switch_in_a_drop_in_that_systemd_reads(make) -> None:
    one = machine(make)
    applied(one, "native_guard:qwen")
    path = f"/etc/systemd/system/sparkform-qwen.service.d/{native_guard.NAME}"
    text = one.system.read(path) or ""
    assert "Environment=VLLM_DISABLED_KERNELS=CutlassFp8BlockScaledMMKernel\n" in text
    assert ["systemctl", "daemon-reload"] in one.system.script.calls
    one.system.write(path, text.replace("Block", "Other"))
    assert difference(one, "native_guard:qwen") == [
        "VLLM_DISABLED_KERNELS is CutlassFp8OtherScaledMMKernel, "
        "will be CutlassFp8BlockScaledMMKernel"
    ]
