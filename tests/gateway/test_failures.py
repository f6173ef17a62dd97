"""Engines that are dead, silent or leave, and limits: what clients meet then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from sparkform.gateway.routes import Agent, EngineEndpoint, ModelRoute
from tests.gateway.conftest import CHAT
from tests.support.gateway_process import (
    KEYS,
    Answer,
    await_servers,
    build_route,
    build_setup,
    find_free_port,
    read_haproxy_version,
    run_gateway,
)
from tests.support.openai_engine import serve_engine
from tests.support.waiting import wait_until

MANY = 24


def read_error(answer: Answer) -> tuple[int, str]:
    error = answer.load()["error"]
    assert isinstance(error, dict)
    return answer.status, str(error["code"])


def test_a_model_whose_engine_is_dead_is_unavailable_and_still_listed(folder: Path) -> None:
    setup = build_setup([build_route("qwen", CHAT, find_free_port())])
    with run_gateway(folder, setup) as gateway:
        for state in ("before it is known", "once it is known"):
            answer = gateway.chat(CHAT)
            assert read_error(answer) == (503, "model_unavailable"), state
            assert answer.headers["retry-after"] == "10"
            assert "127.0.0.1" not in answer.body.decode()
            await_servers(gateway, 0)
        assert CHAT in gateway.ask("GET", "/v1/models").body.decode()


def test_no_client_sees_that_one_of_two_engines_refuses(folder: Path) -> None:
    with serve_engine("alive") as alive:
        setup = build_setup([build_route("qwen", CHAT, alive.port, find_free_port())])
        with run_gateway(folder, setup) as gateway:
            answers = [gateway.chat(CHAT).status for _ in range(MANY)]
            assert answers == [200] * MANY
            await_servers(gateway, 1)


def test_an_engine_that_resets_before_the_first_byte_is_asked_elsewhere(folder: Path) -> None:
    """The scripted one does so in every try, hence at most a part of them is lost to it."""
    with serve_engine("first") as first, serve_engine("second") as second:
        setup = build_setup([build_route("qwen", CHAT, first.port, second.port)])
        with run_gateway(folder, setup) as gateway:
            answer = gateway.chat(CHAT, script={"end": "before"})
            assert read_error(answer) == (503, "model_unavailable")
            assert first.requests, "the first was not asked"
            assert second.requests, "the second was not asked"


def test_an_engine_that_says_nothing_costs_the_declared_time_and_is_asked_once(
    folder: Path,
) -> None:
    with serve_engine("silent") as silent:
        limits = {"answerSeconds": 2}
        setup = build_setup([build_route("qwen", CHAT, silent.port)], limits)
        with run_gateway(folder, setup) as gateway:
            answer = gateway.chat(CHAT, script={"wait_s": 20})
            assert read_error(answer) == (504, "timeout")
            assert len(silent.requests) == 1
            answer = gateway.chat(CHAT, stream=True, script={"end": "silence", "silence_s": 60})
            # What tells the two kinds of silence apart came with 3.0; the official image has it.
            has_event = b'"stream_cut"' in answer.body and not answer.problem
            assert has_event == (read_haproxy_version() >= (3, 0))


def test_one_key_has_its_limits_and_another_its_own(folder: Path) -> None:
    with serve_engine("engine") as engine:
        limits = {"requestsAtOnce": 2, "requestsPerMinute": 20}
        setup = build_setup([build_route("qwen", CHAT, engine.port)], limits)
        with run_gateway(folder, setup) as gateway:
            held = [
                threading.Thread(
                    target=gateway.chat, args=(CHAT,), kwargs={"script": {"wait_s": 4}}
                )
                for _ in range(2)
            ]
            for thread in held:
                thread.start()
            wait_until(lambda: engine.open_now == 2, "two requests are not under way", 20)
            refused = gateway.chat(CHAT)
            assert read_error(refused) == (429, "rate_limit_exceeded")
            assert refused.headers["retry-after"] == "1"
            assert gateway.chat(CHAT, key=KEYS["bob"]).status == 200
            for thread in held:
                thread.join()
            statuses = [gateway.chat(CHAT, key=KEYS["bob"]).status for _ in range(25)]
            assert statuses.count(200) in range(15, 21), statuses
            assert set(statuses) == {200, 429}


class AgentServer(ThreadingTCPServer):
    """Says of its engine what a supervisor would."""

    allow_reuse_address = True
    daemon_threads = True
    word = "up"
    asked = 0


class _AgentHandler(BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, AgentServer)
        self.server.asked += 1
        self.request.sendall(f"{self.server.word}\n".encode())


@contextmanager
def serve_agent() -> Iterator[AgentServer]:
    with AgentServer(("127.0.0.1", 0), _AgentHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_what_a_supervisor_withdraws_gets_nothing_new_and_ends_what_it_has(folder: Path) -> None:
    with serve_engine("engine") as engine, serve_agent() as agent:
        endpoint = EngineEndpoint(
            "127.0.0.1", engine.port, Agent("127.0.0.1", agent.server_address[1])
        )
        setup = build_setup([ModelRoute("qwen", CHAT, (endpoint,))])
        with run_gateway(folder, setup) as gateway:
            await_servers(gateway, 1)
            answers: list[Answer] = []
            script = {"events": 60, "pause_s": 0.1}

            def stream() -> None:
                answers.append(gateway.chat(CHAT, stream=True, script=script))

            under_way = threading.Thread(target=stream)
            under_way.start()
            wait_until(lambda: engine.open_now == 1, "no stream is under way", 20)
            agent.word = "down"
            await_servers(gateway, 0)
            assert read_error(gateway.chat(CHAT)) == (503, "model_unavailable")
            under_way.join()
            assert answers[0].body.endswith(b"data: [DONE]\n\n")
            agent.word = "up"
            await_servers(gateway, 1)
            assert gateway.chat(CHAT).status == 200


def test_keys_services_and_aliases_change_without_a_dropped_request(folder: Path) -> None:
    with serve_engine("first") as first, serve_engine("second") as second:
        setup = build_setup([build_route("qwen", CHAT, first.port)])
        with run_gateway(folder, setup) as gateway:
            await_servers(gateway, 1)
            answers: list[Answer] = []
            script = {"events": 40, "pause_s": 0.1}

            def stream() -> None:
                answers.append(gateway.chat(CHAT, stream=True, script=script))

            threads = [threading.Thread(target=stream) for _ in range(8)]
            for thread in threads:
                thread.start()
            wait_until(lambda: first.open_now == 8, "streams are not under way", 20)
            routes = (*setup.routes, build_route("late", "late/model", second.port))
            gateway.setup = replace(setup, routes=routes, aliases={"newest": "late"})
            gateway.write({"alice": KEYS["alice"], "carol": "sk-carol"})
            gateway.reload()
            statuses: list[int] = []

            def is_changed() -> bool:
                statuses.append(gateway.chat(CHAT).status)
                return gateway.chat("newest", key="sk-carol").status == 200

            wait_until(is_changed, "the change is not there", 30)
            assert set(statuses) == {200}
            wait_until(
                lambda: gateway.chat(CHAT, key=KEYS["bob"]).status == 401, "an old key lives", 30
            )
            for thread in threads:
                thread.join()
            assert all(answer.body.endswith(b"data: [DONE]\n\n") for answer in answers)
            assert len(answers) == 8
