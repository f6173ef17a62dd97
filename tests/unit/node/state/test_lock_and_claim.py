from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from node.errors import StepError
from node.host.paths import CLAIM, LIBRARY, LOCK, STATE, SUPERVISION, ZIPAPP
from node.host.system import CommandResult, System
from node.state import claim, document, lock, receipts
from node.verbs import apply, install, undo
from tests.support import fake_spark
from tests.support.fake_system import SUCCESS, FakeSystem, Script
from tests.support.node_steps import build_document as document_of

HOLDER = """
import sys, time
from pathlib import Path
from node.state import lock
from node.host.system import System
with lock.hold(System(Path(sys.argv[1])), "apply swarm for spark/demo/spark-1/swarm"):
    print("held", flush=True)
    time.sleep(60)
"""
NCCL = {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None}


@pytest.fixture
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PAUSE_S", 0.05)


def start_holder(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock."""
    (tmp_path / STATE.lstrip("/")).mkdir(parents=True)
    process = start_holder(tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


@pytest.mark.usefixtures("short_pause")
def test_a_second_verb_waits_and_then_names_who_holds_the_node(tmp_path, holder) -> None:
    pattern = (
        r"The node is locked by apply swarm for spark/demo/spark-1/swarm since "
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC, pid {holder.pid}; gave up after 0.1 s\."
    )
    with pytest.raises(StepError, match=pattern), lock.hold(System(tmp_path), "undo", wait_s=0.1):
        pass


def test_a_holder_that_needs_long_is_waited_for_as_long_as_it_said(
    tmp_path, holder, patience
) -> None:
    """A step that fetches gigabytes: the clock of this test runs only by waiting."""
    signature = json.loads((tmp_path / LOCK.lstrip("/")).read_text())
    longer_signature = {**signature, "until_unix_s": time.time() + 1000}
    (tmp_path / LOCK.lstrip("/")).write_text(json.dumps(longer_signature))
    with pytest.raises(StepError, match="is locked by"), lock.hold(System(tmp_path), "undo"):
        pass
    assert 1000 <= sum(patience) < 1010


def test_a_holder_that_said_nothing_of_the_kind_is_waited_for_as_ever(
    tmp_path, holder, patience
) -> None:
    """The control, and what an older program signs with."""
    path = tmp_path / LOCK.lstrip("/")
    signature = json.loads(path.read_text())
    path.write_text(json.dumps({name: signature[name] for name in ("who", "since", "pid")}))
    with pytest.raises(StepError, match="is locked by"), lock.hold(System(tmp_path), "undo"):
        pass
    assert lock.WAIT_S <= sum(patience) < lock.WAIT_S + 2


def test_a_verb_that_waits_for_long_says_at_once_and_once_for_whom(
    tmp_path, holder, patience, capsys
) -> None:
    with (
        pytest.raises(StepError),
        lock.hold(System(tmp_path), "undo", wait_s=lock.NOTIFY_AFTER_S + 5),
    ):
        pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "waiting: The node is locked by apply swarm for spark/demo/spark-1/swarm"
    )


@pytest.mark.parametrize(("step", "is_notified"), [("swarm_token", False), ("nccl_conf", True)])
def test_a_step_whose_output_is_read_waits_in_silence(
    step, is_notified, tmp_path, holder, patience, capsys
) -> None:
    with pytest.raises(StepError, match="is locked by"):
        apply.apply_step(System(tmp_path), step, document.parse(document_of(step, {})))
    assert ("waiting: " in capsys.readouterr().err) is is_notified


def test_a_run_that_nobody_waits_for_any_more_gives_up(tmp_path, holder) -> None:
    """As after the death of who asked for it: a later wish must not be overtaken by it."""
    with start_holder(tmp_path) as orphan, start_holder(tmp_path) as waiting:
        assert orphan.stdout is not None
        assert orphan.stderr is not None
        orphan.stdout.close()
        assert orphan.wait(20) == 1
        assert lock.CLIENT_GONE in orphan.stderr.read()
        assert (holder.poll(), waiting.poll()) == (None, None), "the others are still at it"
        waiting.kill()


def test_a_step_under_way_is_let_settle_for_so_long_and_no_longer(
    tmp_path, holder, patience
) -> None:
    lock.await_release(System(tmp_path), 3)
    assert 3 <= sum(patience) < 4
    holder.kill()
    holder.wait()
    patience.clear()
    lock.await_release(System(tmp_path), 3)
    assert patience == []


def test_where_nobody_ever_held_the_lock_nothing_is_made_or_waited_for(tmp_path, patience) -> None:
    lock.await_release(System(tmp_path), 3)
    assert (list(tmp_path.iterdir()), patience) == ([], [])


def test_the_lock_of_a_killed_holder_is_free(tmp_path, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with lock.hold(System(tmp_path), "undo", wait_s=5):
        assert json.loads(System(tmp_path).read(LOCK) or "")["who"] == "undo"


def test_a_node_that_was_cleared_meanwhile_is_not_locked_anew(tmp_path) -> None:
    with (
        pytest.raises(StepError, match="sparkform is not installed"),
        lock.hold(System(tmp_path), "x"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("short_pause")
def test_an_undo_that_waited_for_another_one_finds_its_work_done(tmp_path, holder) -> None:
    """The other one removes lock and state directory before it ends."""

    def end_holder() -> None:
        (tmp_path / LOCK.lstrip("/")).unlink()
        (tmp_path / STATE.lstrip("/")).rmdir()
        holder.kill()

    timer = threading.Timer(0.2, end_holder)
    timer.start()
    try:
        assert undo.main(System(tmp_path), ["--all"], "") == ["node agent removed"]
    finally:
        timer.join()
    assert not (tmp_path / STATE.lstrip("/")).exists()


def test_a_node_of_another_stack_is_refused_by_name(spark) -> None:
    fake_spark.claim_node(spark, "spark/other")
    with pytest.raises(StepError, match="belongs to stack spark/other, not to spark/demo"):
        apply.main(spark.system, ["nccl_conf"], document_of("nccl_conf", NCCL))
    assert spark.system.read("/etc/nccl.conf") == fake_spark.STOCK_NCCL


def test_a_node_that_no_stack_has_claimed_is_refused(spark) -> None:
    spark.system.path(STATE).mkdir()
    with pytest.raises(StepError, match="not claimed by any stack"):
        apply.main(spark.system, ["nccl_conf"], document_of("nccl_conf", NCCL))


def test_the_receipt_is_the_first_line_byte_for_byte_and_never_the_secret(spark) -> None:
    fake_spark.claim_node(spark)
    text = document_of("nccl_conf", NCCL).replace(": ", " :  ")
    apply.main(spark.system, ["nccl_conf"], text + '\n{"join_token": "SWMTKN-canary"}')
    assert receipts.read_all(spark.system) == {"nccl_conf": text}
    assert spark.system.get_state(f"{STATE}/receipts/nccl_conf.json").mode == 0o600
    contents = b"".join(
        path.read_bytes() for path in spark.system.root.rglob("*") if path.is_file()
    )
    assert b"SWMTKN-canary" not in contents


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"owner": "a/b/c/d"}', '{"owner": "a/b", "want": {}, "run": 1}'],
)
def test_a_damaged_document_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(StepError, match=r"document") as caught:
        document.parse(text + "\ncanary")
    assert "canary" not in str(caught.value)


def test_an_unknown_step_is_refused_with_the_known_ones(spark) -> None:
    with pytest.raises(
        StepError, match="nccl_conf, offer, package_hold, page_cache, prerequisites"
    ):
        apply.main(spark.system, ["gpu"], "")


def build_document(
    zipapp: bytes, node: str = "spark-1", stack: str = "spark/demo"
) -> document.StepDocument:
    text = json.dumps(
        {
            "owner": f"{stack}/{node}/agent",
            "want": {"sha256": hashlib.sha256(zipapp).hexdigest()},
            "have": None,
            "run": 1,
        }
    )
    return document.parse(text)


def build_bare_system(tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path, Script())


def test_install_puts_the_program_in_its_place_and_claims_the_node(tmp_path) -> None:
    system, zipapp = build_bare_system(tmp_path), b"PK\x03\x04\xff\xfe\r\n"
    install.install(system, build_document(zipapp), zipapp)
    assert system.path(ZIPAPP).read_bytes() == zipapp
    assert claim.read_owner(system) == "spark/demo"
    assert receipts.read_all(system) == {"agent": build_document(zipapp).text}
    assert install.observe(system) == build_document(zipapp).want
    messages = install.install(system, build_document(zipapp, node="desk"), zipapp)
    assert messages[0] == "taken over from spark/demo/spark-1/agent"


def test_supervisors_that_run_take_up_the_new_program(tmp_path) -> None:
    system = build_bare_system(tmp_path)
    system.put(f"{SUPERVISION}/qwen/target.json", "{}")
    restart = ("systemctl", "try-restart", "sparkform-supervisor@qwen.service")
    programs: list[str | None] = []

    def note_program(argv: object, stdin: str) -> CommandResult:
        programs.append(system.read(ZIPAPP))
        return SUCCESS

    system.script.commands[restart] = note_program
    install.install(system, build_document(b"new"), b"new")
    assert programs == ["new"]


def test_install_leaves_another_stacks_node_alone(tmp_path) -> None:
    system = build_bare_system(tmp_path)
    install.install(system, build_document(b"old", stack="spark/other"), b"old")
    with pytest.raises(StepError, match="belongs to stack spark/other"):
        install.install(system, build_document(b"new"), b"new")
    assert system.path(ZIPAPP).read_bytes() == b"old"


def test_a_program_cut_short_on_its_way_is_not_installed(tmp_path) -> None:
    with pytest.raises(StepError, match="arrived corrupted"):
        install.install(build_bare_system(tmp_path), build_document(b"whole"), b"who")
    assert list(tmp_path.iterdir()) == []


def test_the_bootstrap_runs_the_program_out_of_memory_with_the_document_on_stdin() -> None:
    import base64
    import bz2
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__main__.py", "import sys; print(sys.argv[1:], sys.stdin.read())")
    stdin = b'{"a": 1}\n' + base64.b64encode(bz2.compress(buffer.getvalue()))
    argv = [sys.executable, "-c", install.BOOTSTRAP]
    result = subprocess.run(argv, input=stdin, capture_output=True, check=True)
    assert result.stdout.decode() == "['install'] {\"a\": 1}\n\n"


def test_the_claim_is_one_line_and_the_library_holds_one_file(tmp_path) -> None:
    system = build_bare_system(tmp_path)
    install.install(system, build_document(b"x"), b"x")
    assert system.read(CLAIM) == "spark/demo\n"
    assert system.list_names(LIBRARY) == ["node.pyz"]
