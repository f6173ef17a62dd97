"""The step `ready`: what it prints, when it ends, and what it leaves."""

from __future__ import annotations

import pytest

from node.errors import StepError
from node.host.system import HttpAnswer
from node.ranks import log_archive
from node.readiness import peers, starting
from node.state import lock, receipts
from tests.unit.node.readiness.conftest import WANT, schedule_answer

LOADING = "Loading safetensors checkpoint shards:  {}% Completed | 2/5 [00:10<00:15,  5.1s/it]"


def get_stop_second(engine) -> float:
    """When the engine was ended."""
    assert engine.stopped_s is not None, "the engine was not ended"
    return float(engine.stopped_s)


def test_progress_is_said_once_a_stage_and_the_answer_ends_the_wait(
    engine, run, monkeypatch, capsys
) -> None:
    engine.lines = [
        (1, "INFO Starting to load model Qwen/Qwen3-8B..."),
        (3, LOADING.format(40)),
        (4, LOADING.format(43)),
        (6, "INFO Dynamo bytecode transform time: 3.2 s"),
        (8, "INFO: Application startup complete."),
    ]
    schedule_answer(monkeypatch, engine, 9)
    assert run() == ["qwen rank 0: ready, http://10.0.0.1:8000 answers (9 s)"]
    assert capsys.readouterr().err.splitlines() == [
        "qwen rank 0: loading (1 s)",
        "qwen rank 0: loading, 40 % (3 s)",
        "qwen rank 0: compiling (6 s)",
        "qwen rank 0: the server is open (8 s)",
    ]
    assert engine.stopped_s is None


def test_a_stage_that_another_rank_in_the_same_log_comes_to_later_is_not_said_again(
    engine, run, monkeypatch, capsys
) -> None:
    compiling = "INFO Dynamo bytecode transform time: 3.2 s"
    own_lines, other_lines = (
        [(1, LOADING.format(40)), (2, compiling)],
        [(3, LOADING.format(40)), (4, compiling)],
    )
    engine.lines = [*own_lines, *other_lines]
    schedule_answer(monkeypatch, engine, 6)
    run()
    assert capsys.readouterr().err.splitlines() == [
        "qwen rank 0: loading, 40 % (1 s)",
        "qwen rank 0: compiling (2 s)",
    ]


def test_the_receipt_is_kept_once_it_answers_and_not_before(engine, run, monkeypatch) -> None:
    engine.death = (2, 1)
    with pytest.raises(StepError):
        run()
    assert "ready:qwen" not in receipts.read_all(engine.spark.system)
    engine.death = None
    schedule_answer(monkeypatch, engine, 3)
    run()
    assert "ready:qwen" in receipts.read_all(engine.spark.system)


def test_a_final_signature_ends_it_at_once_with_rule_and_remedy(engine, failure) -> None:
    line = "NotImplementedError: TRTLLMGenFusedMoE does not support SM120 and above."
    engine.lines = [(5, line)]
    report = failure(engine="trtllm").splitlines()
    assert report[0] == (
        "service qwen: rank 0 on spark-1: the TRTLLM kernels of mixture-of-experts layers do not "
        "exist for a GB10 [no-sm120-experts, rule trt-moe-backend]"
    )
    assert report[1:3] == [f"symptom: {line}", "what to do: moeBackend: CUTLASS"]
    assert get_stop_second(engine) - 5 < 2


def test_a_dead_engine_is_said_with_its_exit_code_and_last_thirty_lines(engine, failure) -> None:
    engine.lines = [(1, f"line {number}") for number in range(50)]
    engine.death = (4, 3)
    report = failure().splitlines()
    assert "[dead-rank]" in report[0]
    assert report[1] == "symptom: exit code 3"
    assert report[-30:] == [f"  | line {number}" for number in range(20, 50)]
    assert engine.stopped_s is None, "what is dead is not stopped"


def test_the_last_error_of_a_dead_engine_is_said(engine, failure) -> None:
    engine.lines = [
        (1, "(Worker_TP1 pid=18) ERROR torch.InductorError: InvalidCxxCompiler: No compiler"),
        (2, "RuntimeError: Engine core initialization failed. See root cause above."),
        (2, "EngineDeadError: EngineCore encountered an issue."),
        (2, "(EngineCore pid=22) Worker proc VllmWorker-0 died unexpectedly (exit code: 0)"),
        (2, "shutting down"),
    ]
    report = failure().splitlines()
    assert report[2] == "last error here: torch.InductorError: InvalidCxxCompiler: No compiler"
    assert [line for line in report if line.startswith("last error")] == [report[2]]


def test_an_error_that_is_the_symptom_is_said_once(engine, failure) -> None:
    engine.lines = [(1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate")]
    assert "last error here" not in failure()


def test_a_very_long_line_is_quoted_in_part_and_kept_whole(engine, failure) -> None:
    long = "x" * 100_000
    engine.lines, engine.death = [(1, long)], (2, 1)
    assert len(failure()) < 2000
    (name,) = log_archive.list_logs(engine.spark.system, "qwen")
    assert long in engine.spark.system.read(f"/var/log/sparkform/qwen/{name}")


def test_last_words_of_a_dead_engine_explain_it(engine, failure) -> None:
    engine.lines = [(4, "vllm serve: error: unrecognized arguments: --fast")]
    engine.death = (4, 2)
    assert "[unknown-option, rule unseen-settings]" in failure()


def test_the_kernels_kill_is_told_from_others(engine, failure) -> None:
    engine.death, engine.killed_for_memory = (4, 137), True
    assert "[out-of-memory, rule mem-fit]" in failure()


def test_silence_ends_it_and_counts_from_the_last_line(engine, failure) -> None:
    engine.lines = [(30, "INFO Starting to load model Qwen/Qwen3-8B...")]
    report = failure(silence_timeout_s=60)
    assert "[silence]" in report
    assert "symptom: stage: loading" in report
    assert 90 < get_stop_second(engine) < 92


def test_a_worker_leaves_silence_to_the_head(engine, failure, monkeypatch) -> None:
    monkeypatch.setattr(peers, "NOTIFY_LIMIT_S", 0.1)
    members = [{**WANT["members"][0], "rank": 1}, {**WANT["members"][0], "node": "spark-9"}]
    assert "[not-ready]" in failure(members=members, silence_timeout_s=20, ready_timeout_s=90)
    assert 90 < get_stop_second(engine) < 92


def test_another_ranks_progress_counts_for_the_head(engine, failure, monkeypatch) -> None:
    class LoadingPeer(peers.PeerChannel):
        def __getattribute__(self, name: str) -> object:
            if name == "peer_progress_s":
                return min(engine.created_s + engine.second, engine.created_s + 100)
            return super().__getattribute__(name)

    monkeypatch.setattr(peers, "start", lambda target: LoadingPeer(target.token))
    assert "[silence]" in failure(silence_timeout_s=60)
    assert 160 < get_stop_second(engine) < 162


def test_what_an_engine_repeats_while_it_hangs_is_no_progress(engine, failure) -> None:
    hangs = "INFO [shm_broadcast.py:501] No available shared memory broadcast block found in 60 s"
    engine.lines = [(second, hangs) for second in range(10, 200, 10)]
    failure(silence_timeout_s=60)
    assert 60 < get_stop_second(engine) < 62


def test_memory_that_moves_is_progress(engine, failure) -> None:
    engine.memory = lambda second: int(min(second, 100) * 50 * 2**20)
    failure(silence_timeout_s=60)
    assert 150 < get_stop_second(engine) < 170


def test_a_start_that_chatters_for_ever_ends_at_its_time_limit(engine, failure) -> None:
    engine.lines = [(second, f"still at it {second}") for second in range(200)]
    assert "[not-ready]" in failure(ready_timeout_s=100)
    assert 100 < get_stop_second(engine) < 102


def test_an_api_that_refuses_ends_it(engine, failure, monkeypatch) -> None:
    schedule_answer(monkeypatch, engine, 5, "http://10.0.0.1:8000 answers 401: Unauthorized")
    report = failure()
    assert "[no-completion]" in report
    assert "answers 401" in report
    assert get_stop_second(engine) < 7


def test_a_member_that_never_comes_is_said(engine, failure) -> None:
    engine.removed = True
    assert "[no-member]" in failure()
    assert 60 < engine.second < 62


def test_an_engine_that_others_remove_ends_it_and_nothing_is_stopped(engine, failure) -> None:
    def remove(second: float) -> int:
        engine.removed = second > 5
        return 0

    engine.memory = remove
    assert "[removed]" in failure()
    assert engine.stopped_s is None


def test_a_dockerd_that_is_silent_for_a_while_ends_nothing(engine, run, monkeypatch) -> None:
    """A restart of dockerd with live restore: the engine runs on."""
    requests = engine.spark.system.script.requests
    spoken = dict(requests)

    def answer(method: str, path: str, body: object) -> HttpAnswer:
        is_silent = 3 < engine.second < 30
        answer = spoken[method, path.partition("?")[0]]
        return HttpAnswer(0, "refused") if is_silent else answer(method, path, body)

    requests |= {key: answer for key in spoken if key[1].startswith("/containers")}
    schedule_answer(monkeypatch, engine, 40)
    assert run() == ["qwen rank 0: ready, http://10.0.0.1:8000 answers (40 s)"]


def test_a_dockerd_that_stays_silent_is_named(engine, failure) -> None:
    silent = ("GET", "/containers/json")
    engine.spark.system.script.requests[silent] = lambda *arguments: HttpAnswer(0, "refused")
    assert "symptom: stage: none; Docker does not answer (refused)" in failure()
    assert engine.stopped_s is None


def test_an_engine_of_another_token_is_left_alone(engine, failure) -> None:
    engine.token = "4be1-2"
    engine.lines = [(1, "free(): double free detected in tcache 2")]
    assert "[no-member]" in failure()
    assert engine.stopped_s is None


def test_the_whole_log_is_kept_for_root_only(engine, failure) -> None:
    engine.lines = [(1, f"line {number}") for number in range(50)]
    engine.death = (4, 1)
    report = failure()
    (name,) = log_archive.list_logs(engine.spark.system, "qwen")
    path = f"/var/log/sparkform/qwen/{name}"
    assert f"kept in {path}; the last 30 lines:" in report
    text = engine.spark.system.read(path)
    assert [line for line in text.splitlines() if line.startswith("line")] == [
        f"line {number}" for number in range(50)
    ]
    assert engine.spark.system.get_state(path).mode == 0o600
    assert engine.spark.system.get_state("/var/log/sparkform").mode == 0o700


def test_secrets_are_shown_nowhere(engine, failure) -> None:
    key = "open-sesame-77"
    engine.spark.system.put("/var/lib/sparkform/services/qwen/secrets/api_key", key)
    token = "hf_" + "a" * 24
    engine.lines = [(1, f"api_key={key} token={token}")]
    engine.death = (2, 1)
    report = failure()
    (name,) = log_archive.list_logs(engine.spark.system, "qwen")
    text = engine.spark.system.read(f"/var/log/sparkform/qwen/{name}")
    for shown in (report, text):
        assert "api_key=(hidden) token=(hidden)" in shown
        assert key not in shown
        assert token not in shown


def test_an_interrupted_watch_leaves_the_engine_alone(engine, failure, monkeypatch) -> None:
    class SigintAtFive:
        @property
        def reason(self) -> str | None:
            return "SIGINT" if engine.second > 5 else None

    monkeypatch.setattr(starting, "Interruption", SigintAtFive)
    report = failure()
    assert "(SIGINT)" in report
    assert "keeps starting" in report
    assert engine.second < 7
    assert engine.stopped_s is None
    assert "ready:qwen" not in receipts.read_all(engine.spark.system)


def test_other_steps_work_while_it_waits(engine, run, monkeypatch) -> None:
    lock_seconds = []

    def take_lock(second: float) -> int:
        with lock.hold(engine.spark.system, "another step", wait_s=0):
            lock_seconds.append(second)
        return 0

    engine.memory = take_lock
    schedule_answer(monkeypatch, engine, 12)
    run()
    assert lock_seconds


def test_a_unit_is_followed_and_killed_where_it_does_not_end(engine, failure) -> None:
    engine.run_in_unit()
    engine.lines = [(5, "*** SIGSEGV received at time=1775734074 on cpu 19 ***"), (9, "late")]
    unit = {**WANT["members"][0], "unit": "sparkform-qwen.service"}
    report = failure(members=[unit], runtime="native")
    assert "[segmentation-fault, rule nccl-soak]" in report
    assert get_stop_second(engine) - 5 < 5


def test_the_same_rank_is_told_sockets_only_where_it_wanted_rdma(engine, failure) -> None:
    engine.lines = [(2, "spark-1:1:9 [0] NCCL INFO Using network Socket"), (3, "working")]
    assert "[silence]" in failure(over_rdma=False)
    engine.stopped_s = None
    assert "[socket-fallback, rule ib-disabled]" in failure(over_rdma=True)
