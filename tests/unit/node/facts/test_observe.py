"""The observe verb as a whole: one document whatever the machine does, within its time."""

from __future__ import annotations

import http.server
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from node.errors import StepError
from node.facts import NAMES
from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.host.system import COMMAND_NOT_FOUND, TIMED_OUT, CommandResult, HttpAnswer, System
from node.state import lock
from node.state.next_run import compute_next_run
from node.verbs import observe

Script = Callable[[Sequence[str]], CommandResult]

PATIENT = FactRequest(budget_s=60)
"""A machine that is busy with other tests must not make a fact late."""


def fail_as_missing(argv: Sequence[str]) -> CommandResult:
    return CommandResult(COMMAND_NOT_FOUND, "", f"{argv[0]}: not found")


@dataclass(frozen=True)
class ScriptedSystem(System):
    """A machine below a folder whose commands are a function."""

    script: Script = fail_as_missing
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        self.calls.append(tuple(argv))
        return self.script(argv)


def fail_as_late(argv: Sequence[str]) -> CommandResult:
    return CommandResult(TIMED_OUT, "", f"{argv[0]}: no answer within 4.8 s")


class HangingSystem(ScriptedSystem):
    """Its dockerd listens and says nothing."""

    def request(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> HttpAnswer:
        return HttpAnswer(0, "TimeoutError: timed out", is_late=True)


def build_reader(root: Path, script: Script = fail_as_missing) -> FactReader:
    return FactReader(ScriptedSystem(root, script), time.monotonic() + 5)


def get_only(value: object) -> dict[str, Any]:
    assert isinstance(value, list)
    (entry,) = value
    assert isinstance(entry, dict)
    return entry


def test_an_empty_machine_gives_a_whole_document_of_nulls_with_reasons(tmp_path: Path) -> None:
    document = observe.observe(ScriptedSystem(tmp_path), PATIENT)
    facts = document["facts"]
    assert isinstance(facts, dict)
    assert set(facts) == {*NAMES, "claim"}
    unreadable = {item["what"] for item in document["unreadable"]}  # type: ignore[attr-defined]
    # Without a file there is nothing to read, which is an answer.
    readable = {"models", "netplan", "nccl_conf", "native_units", "bandwidth", "claim"}
    assert {name for name in facts if f"fact {name}" not in unreadable} == readable
    assert document["receipts"] == {}
    assert document["next_run"] == compute_next_run(System(tmp_path))


def test_the_verb_prints_one_line_of_plain_ascii(tmp_path: Path) -> None:
    (tmp_path / "var/lib/sparkform/receipts").mkdir(parents=True)
    (tmp_path / "var/lib/sparkform/receipts/nccl_conf.json").write_bytes(b"\xff\xc3\xa9")
    lines = observe.main(ScriptedSystem(tmp_path), ['{"user": "nvidia", "budget_s": 60}'], "")
    assert len(lines) == 1
    assert lines[0].isascii()
    assert json.loads(lines[0])["receipts"] == {"nccl_conf": "?é"}


def test_what_a_step_under_way_leaves_is_seen_and_not_its_middle(tmp_path: Path) -> None:
    system, started = ScriptedSystem(tmp_path), threading.Event()
    receipts = tmp_path / "var/lib/sparkform/receipts"
    receipts.mkdir(parents=True)

    def run_step() -> None:
        with lock.hold(system, "apply nccl_conf"):
            started.set()
            time.sleep(0.5)
            (receipts / "nccl_conf.json").write_text("written")

    running = threading.Thread(target=run_step)
    running.start()
    assert started.wait(10)
    document = observe.observe(system, FactRequest(budget_s=20))
    running.join()
    assert document["receipts"] == {"nccl_conf": "written"}


def test_a_request_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError):
        observe.main(ScriptedSystem(tmp_path), ["{"], "")


def test_a_reading_that_hangs_is_named_and_keeps_no_other_back() -> None:
    release = threading.Event()
    started = time.monotonic()
    findings = observe.collect_results(
        {"fact slow": lambda: release.wait(20), "fact quick": lambda: 1},
        time.monotonic() + 1,
    )
    release.set()
    assert time.monotonic() - started < 15
    slow, quick = findings
    assert (slow.name, slow.value, slow.is_late) == ("fact slow", None, True)
    assert re.fullmatch(r"no answer in \d+\.\d s", slow.error or "")
    assert (quick.name, quick.value, quick.error, quick.is_late) == ("fact quick", 1, None, False)


@pytest.mark.parametrize("item", ["step docker_daemon", "step swarm", "fact gpu", "fact docker"])
def test_what_does_not_answer_in_time_is_unknown_and_not_absent(tmp_path: Path, item: str) -> None:
    """A tool and a dockerd that hang: no key of a file says that a step is unset."""
    document = observe.observe(HangingSystem(tmp_path, fail_as_late), PATIENT)
    kind, _, name = item.partition(" ")
    assert document[f"{kind}s"][name] is None  # type: ignore[index]
    reasons = {entry["what"]: entry for entry in document["unreadable"]}  # type: ignore[attr-defined]
    assert reasons[item]["late"] is True
    assert "no answer within" in reasons[item]["why"]


def test_a_dockerd_that_is_not_there_is_known_to_be_down(tmp_path: Path) -> None:
    """The control: a refused connection is an answer."""
    document = observe.observe(ScriptedSystem(tmp_path), PATIENT)
    state = document["steps"]["docker_daemon"]  # type: ignore[index]
    assert state["dockerd"] == "does not answer"


def test_links_that_ip_does_not_list_are_unknown(tmp_path: Path) -> None:
    document = observe.observe(ScriptedSystem(tmp_path), PATIENT)
    assert document["steps"]["fabric_address"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (UnreadableFact("nvidia-smi: not found"), "nvidia-smi: not found"),
        (KeyError("password=CANARY"), "failed with KeyError"),
    ],
    ids=["said", "defect"],
)
def test_a_reading_that_fails_is_told_without_quoting_foreign_text(
    failure: Exception, reason: str
) -> None:
    def read() -> object:
        raise failure

    assert observe.read_guarded("fact x", read) == observe.ReadResult("fact x", None, reason)


def test_a_value_that_is_no_json_is_a_failed_reading() -> None:
    assert observe.read_guarded("fact x", lambda: float("nan")).error == "failed with ValueError"


def test_a_step_is_asked_with_its_own_words_over_the_shared_ones() -> None:
    request = observe.parse_request(
        {"user": "nvidia", "interfaces": ["eth1", 3], "steps": {"swarm": {"user": "other"}}}
    )
    assert observe.build_step_request(request, "swarm").user == "other"
    assert observe.build_step_request(request, "nccl_conf").user == "nvidia"
    assert observe.build_step_request(request, "nccl_conf").interfaces == ("eth1",)


@pytest.mark.parametrize("damaged", [{"budget_s": "x", "user": 1}, {"budget_s": [], "steps": 3}])
def test_a_damaged_request_falls_back_to_what_is_usual(damaged: Mapping[str, object]) -> None:
    request = observe.parse_request(damaged)
    assert (request.user, request.budget_s) == ("root", 5.0)
    assert observe.build_step_request(request, "swarm").user == "root"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CommandResult(COMMAND_NOT_FOUND, "", "tool: not found"), "tool: not found"),
        (CommandResult(TIMED_OUT, "", "tool: no answer within 5 s"), "tool: no answer within 5 s"),
        (CommandResult(9, "No devices were found\n", ""), "tool: exit 9: No devices were found"),
        (CommandResult(1, "", ""), "tool: exit 1"),
    ],
    ids=["missing", "slow", "said on stdout", "silent"],
)
def test_a_command_that_fails_says_how(result: CommandResult, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFact) as raised:
        build_reader(tmp_path, lambda argv: result).run_command("tool")
    assert str(raised.value) == reason


def test_a_command_that_may_not_be_run_is_unreadable(tmp_path: Path) -> None:
    def script(argv: Sequence[str]) -> CommandResult:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(UnreadableFact, match="tool: Permission denied"):
        build_reader(tmp_path, script).run_command("tool")


def test_files_are_found_by_pattern_and_told_with_mode_and_owner(tmp_path: Path) -> None:
    folder = tmp_path / "etc/netplan"
    folder.mkdir(parents=True)
    (folder / "40.yaml").write_text("a")
    (folder / "40.yaml").chmod(0o600)
    reader = build_reader(tmp_path)
    assert reader.list_paths("/etc/netplan/*.yaml") == ["/etc/netplan/40.yaml"]
    assert reader.read_guarded("/etc/netplan/40.yaml").mode == "0600"
    assert reader.read_files(["/etc/netplan/40.yaml", "/etc/none", "/etc/netplan"]) == {
        "/etc/netplan/40.yaml": "a"
    }


class _DockerHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"ServerVersion": "29"}' if self.path == "/info" else b"no such page"
        self.send_response(200 if self.path == "/info" else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


class _DockerServer(socketserver.UnixStreamServer):
    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        request, _ = super().get_request()
        return request, ("local", 0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "run").mkdir()
    server = _DockerServer(str(tmp_path / "run/docker.sock"), _DockerHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield tmp_path
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_docker_engine_is_asked_over_its_socket(engine: Path) -> None:
    assert build_reader(engine).query_docker("/info") == {"ServerVersion": "29"}
    with pytest.raises(UnreadableFact, match="GET /nodes returned 404"):
        build_reader(engine).query_docker("/nodes")


def test_a_docker_engine_that_does_not_run_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFact, match="Docker does not answer"):
        build_reader(tmp_path).query_docker("/info")


def test_a_model_folder_is_listed_with_links_and_unfinished_parts(tmp_path: Path) -> None:
    from node.facts import models

    base = tmp_path / "m/hub/models--org--name"
    snapshot = base / "snapshots/abc"
    snapshot.mkdir(parents=True)
    (base / "blobs").mkdir()
    (base / "blobs/1").write_text("{}")
    (base / "blobs/2").write_text("weights")
    (snapshot / "config.json").symlink_to("../../blobs/1")
    (snapshot / "model.safetensors").symlink_to("../../blobs/2")
    (snapshot / "tokenizer.json").symlink_to("../../blobs/gone")
    model = get_only(models.read(build_reader(tmp_path), FactRequest(model_directory="/m")))
    assert (model["handle"], model["bytes"], model["complete"]) == ("org/name", 9, False)
    assert model["missing"] == ["tokenizer.json"]


def test_a_model_directory_too_slow_to_list_is_unreadable(tmp_path: Path) -> None:
    from node.facts import models

    (tmp_path / "m").mkdir()
    (tmp_path / "m/file").write_text("")
    late = FactReader(ScriptedSystem(tmp_path), time.monotonic() - 1)
    with pytest.raises(UnreadableFact, match="too slow"):
        models.read(late, FactRequest(model_directory="/m"))


def test_the_disk_of_a_folder_that_is_not_there_yet_is_its_parents(tmp_path: Path) -> None:
    from node.facts import disk

    (tmp_path / "var/lib").mkdir(parents=True)
    system = ScriptedSystem(tmp_path)
    with pytest.raises(UnreadableFact):
        disk.read(
            FactReader(system, time.monotonic() + 5), FactRequest(model_directory="/var/lib/a/b")
        )
    assert system.calls == [("df", "-P", "-B1", str(tmp_path / "var/lib"))]


def test_roce_devices_are_read_from_sysfs_without_the_empty_gids(tmp_path: Path) -> None:
    from node.facts import hca

    port = tmp_path / "sys/class/infiniband/rocep1s0f0/ports/1"
    net = tmp_path / "sys/class/infiniband/rocep1s0f0/device/net/enp1s0f0np0"
    for folder in (port / "gids", port / "gid_attrs/types", port / "gid_attrs/ndevs", net):
        folder.mkdir(parents=True)
    zero = ":".join(["0000"] * 8)
    (port / "gids/0").write_text(f"{zero}\n")
    (port / "gids/5").write_text("0000:0000:0000:0000:0000:ffff:c0a8:640a\n")
    (port / "gid_attrs/types/5").write_text("RoCE v2\n")
    (port / "gid_attrs/ndevs/5").write_text("enp1s0f0np0\n")
    (port / "state").write_text("4: ACTIVE\n")
    (net / "address").write_text("4c:bb:47:00:00:01\n")
    texts = hca.read_sysfs(build_reader(tmp_path))
    assert not any(path.endswith("gids/0") for path in texts)
    assert hca.map_by_interface(texts) == {
        "enp1s0f0np0": hca.HcaDevice("rocep1s0f0", "ACTIVE", ("192.168.100.10",))
    }


def test_netplans_folders_hide_each_others_files_of_the_same_name(tmp_path: Path) -> None:
    from node.facts import netplan

    text = "network: {ethernets: {enp1s0f0np0: {mtu: %s}}}\n"
    for folder, mtu in (("lib", 1500), ("etc", 9000)):
        (tmp_path / folder / "netplan").mkdir(parents=True)
        (tmp_path / folder / "netplan/40.yaml").write_text(text % mtu)
    file_facts = get_only(netplan.read(build_reader(tmp_path), FactRequest()))
    assert file_facts["path"] == "/etc/netplan/40.yaml"
    assert file_facts["interfaces"] == {"enp1s0f0np0": {"mtu": 9000}}
