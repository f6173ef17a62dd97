"""The packages of native engines on a node, with real pip and a lock of tiny wheels.

The node reaches no index: its pip.conf names a folder, as on a Spark without internet. There is no
CUDA here: that NCCL's copy is the one that torch loads is shown by the link alone.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.host.paths import LOCK, NCCL_FOLDER, VIRTUALENV, ZIPAPP
from node.python.pip import BATCH_LINES
from node.steps import STEPS
from sparkrack import login
from tests.rack.conftest import RackFactory
from tests.support.deployment import STACK, Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle
from tests.support.tiny_wheels import Wheel, build_lock, pack_wheels
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

HOST, PYTHON = "spark-1", "3.11"
PYTHON_FOLDERS = (Path(f"/usr/lib/python{PYTHON}/ensurepip"), Path("/usr/share/python-wheels"))
"""What Debian's python3-venv brings: the node's image has no environments of its own."""

PIP_END_LIMIT_S, START_LIMIT_S = 5.0, 20.0
PIP_CONF = "[global]\nno-index = true\nfind-links = /srv/wheels\n"
WHEELS = [Wheel(f"tiny-{number}", "1.0") for number in range(2 * BATCH_LINES + 4)]
NCCL = Wheel("nvidia-nccl-cu13", "2.30.7", {"nvidia/nccl/lib/libnccl.so.2": "no library\n"})
WANT: dict[str, Any] = {
    "path": VIRTUALENV,
    "python": PYTHON,
    "lock": build_lock(WHEELS),
    "links": {"nvidia/nccl": NCCL_FOLDER},
    "free_bytes": 2**20,
}
NCCL_WANT: dict[str, Any] = {
    "path": NCCL_FOLDER,
    "lock": build_lock([NCCL]),
    "free_bytes": 2**20,
}
KILL = f"""
pid=$(sudo python3 -c 'import json; print(json.load(open("{LOCK}"))["pid"])')
sudo kill -KILL $pid
"""
FOLDER = f"{VIRTUALENV}/lib/python{PYTHON}/site-packages"


def pack_folders(paths: tuple[Path, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            archive.add(path, str(path))
    return buffer.getvalue()


def unpack(rack: RackHandle, content: bytes, where: str) -> None:
    text = base64.b64encode(content).decode()
    rack.must(HOST, f"sudo mkdir -p {where} && base64 -d | sudo tar -xC {where}", text)


@pytest.fixture(scope="module")
def machine(rack: RackFactory) -> RackHandle:
    """One node with pip and a folder of wheels."""
    missing = [str(path) for path in PYTHON_FOLDERS if not path.exists()]
    if missing:
        pytest.skip(f"this machine has no {', '.join(missing)} to give to the node")
    machine = rack(1, "none")
    unpack(machine, pack_folders(PYTHON_FOLDERS), "/")
    unpack(machine, pack_wheels([*WHEELS, NCCL]), "/srv/wheels")
    machine.must(HOST, "sudo tee /etc/pip.conf", PIP_CONF)
    return machine


@pytest.fixture(scope="module")
def prepared_machine(
    machine: RackHandle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RackHandle]:
    """The node program is installed; destroyed afterwards, the node is what it was."""
    before = compute_digest(machine)
    deployment = Deployment.create(machine, tmp_path_factory.mktemp("stack"))
    deployment.up()
    yield machine
    deployment.destroy()
    assert list_changes(before, compute_digest(machine)) == []


def build_document(step: str, want: dict[str, Any]) -> str:
    owner = f"sparkform/{STACK}/{HOST}/{step}"
    return json.dumps({"owner": owner, "want": want, "have": None, "run": 1})


def apply(rack: RackHandle, step: str, want: dict[str, Any]) -> str:
    return rack.must(HOST, f"sudo python3 {ZIPAPP} apply {step}", build_document(step, want))


def list_differences(rack: RackHandle, step: str, want: dict[str, Any]) -> list[str]:
    """What the program would say of this step, by what the node reports now."""
    spec, report = STEPS[step], json.loads(rack.must(HOST, f"sudo python3 {ZIPAPP} observe"))
    parsed = spec.parse_want(want)
    return spec.compare(spec.narrow(spec.read_observed(report["steps"][step]), parsed), parsed)


def kill_in_the_middle(rack: RackHandle) -> None:
    """SIGKILL for the program once the first part is there; its pip goes with it."""
    argv = login.build_ssh_command(
        rack.rack.name, rack.find_node(HOST), [f"sudo python3 {ZIPAPP} apply native_venv"]
    )
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdin
        assert run.stderr
        run.stdin.write(build_document("native_venv", WANT))
        run.stdin.close()
        first_line = run.stderr.readline()
        rack.must(HOST, KILL)
        run.wait(30)
    wait_until(
        lambda: rack.ask(HOST, "pgrep --full -- '[-]m [p]ip'").returncode == 1,
        "a pip goes on in the folder that the next run works in",
        PIP_END_LIMIT_S,
    )
    assert first_line == f"installed {BATCH_LINES} of {len(WHEELS)} packages\n"


def test_killed_in_the_middle_it_shows_nothing_and_goes_on_where_it_was(prepared_machine) -> None:
    kill_in_the_middle(prepared_machine)
    assert prepared_machine.ask(HOST, f"test -e {VIRTUALENV}").returncode != 0
    trees = "/opt/sparkform/trees/native_venv-*"
    first = f"{trees}/lib/python{PYTHON}/site-packages/tiny_0-1.0.dist-info/INSTALLER"
    written = prepared_machine.must(HOST, f"stat -c '%y %i' {first}")
    output = apply(prepared_machine, "native_venv", WANT)
    assert f"of {len(WHEELS)} packages" not in output
    assert prepared_machine.must(HOST, f"stat -c '%y %i' {first}") == written
    assert list_differences(prepared_machine, "native_venv", WANT) == []
    print_version = f"{VIRTUALENV}/bin/python -c 'import tiny_0, tiny_27; print(tiny_27.VERSION)'"
    assert prepared_machine.must(HOST, print_version) == "1.0\n"


def test_nccl_lies_apart_and_is_found_where_torch_looks(prepared_machine) -> None:
    apply(prepared_machine, "native_nccl", NCCL_WANT)
    assert list_differences(prepared_machine, "native_nccl", NCCL_WANT) == []
    library = prepared_machine.must(HOST, f"cat {FOLDER}/nvidia/nccl/lib/libnccl.so.2")
    assert library == "no library\n"
    assert prepared_machine.must(HOST, f"cat {NCCL_FOLDER}/lib/libnccl.so.2") == library


def test_a_package_removed_by_hand_is_drift_and_put_back_alone(prepared_machine) -> None:
    pip = f"sudo {VIRTUALENV}/bin/python -m pip"
    prepared_machine.must(HOST, f"{pip} uninstall --yes --quiet --root-user-action ignore tiny-3")
    assert list_differences(prepared_machine, "native_venv", WANT) == [
        "tiny-3 is missing, will be 1.0"
    ]
    applied = prepared_machine.ask(
        HOST, f"sudo python3 {ZIPAPP} apply native_venv", build_document("native_venv", WANT)
    )
    assert "installed 1 of 1 packages" in applied.stderr
    assert list_differences(prepared_machine, "native_venv", WANT) == []
    assert apply(prepared_machine, "native_venv", WANT) == "nothing to do\n"


def test_a_package_installed_by_hand_is_drift_and_goes(prepared_machine) -> None:
    extra = Wheel("by-hand", "2.0")
    unpack(prepared_machine, pack_wheels([extra]), "/srv/more")
    pip = f"sudo {VIRTUALENV}/bin/python -m pip"
    options = "--quiet --root-user-action ignore --no-index --find-links /srv/more"
    prepared_machine.must(HOST, f"{pip} install {options} by-hand")
    differences = ["by-hand 2.0 is not in the lock, will be removed"]
    assert list_differences(prepared_machine, "native_venv", WANT) == differences
    apply(prepared_machine, "native_venv", WANT)
    assert list_differences(prepared_machine, "native_venv", WANT) == []
    prepared_machine.must(HOST, "sudo rm -r /srv/more")


def test_a_running_unit_is_told_with_its_variables_and_without_its_secrets(
    prepared_machine,
) -> None:
    """A process of that environment which maps the library, as an engine does."""
    maps = f"import mmap,time; f=open('{NCCL_FOLDER}/lib/libnccl.so.2','rb'); "
    maps += "m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); time.sleep(300)"
    unit = "sparkform-shown.service"
    text = f"""[Service]
User=nvidia
Environment=NCCL_IB_DISABLE=0 VLLM_API_KEY=CANARY
ExecStart={VIRTUALENV}/bin/python -c "{maps}"
"""
    prepared_machine.must(HOST, f"sudo tee /etc/systemd/system/{unit}", text)
    prepared_machine.must(HOST, f"sudo systemctl daemon-reload && sudo systemctl start {unit}")
    maps_file = f"/proc/$(systemctl show --property MainPID --value {unit})/maps"
    wait_until(
        lambda: prepared_machine.ask(HOST, f"sudo grep -q libnccl {maps_file}").returncode == 0,
        f"{unit} does not map the library",
        START_LIMIT_S,
    )
    report = prepared_machine.must(HOST, f"sudo python3 {ZIPAPP} observe")
    prepared_machine.must(HOST, f"sudo systemctl stop {unit}; sudo rm /etc/systemd/system/{unit}")
    prepared_machine.must(HOST, "sudo systemctl daemon-reload")
    (unit_report,) = json.loads(report)["facts"]["native_units"]
    assert unit_report["active"] is True
    assert unit_report["environment"] == {"NCCL_IB_DISABLE": "0"}
    assert [path.rpartition("/")[2] for path in unit_report["nccl"]] == ["libnccl.so.2"]
    assert "/opt/sparkform/trees/native_nccl-" in unit_report["nccl"][0]
    assert "CANARY" not in report
