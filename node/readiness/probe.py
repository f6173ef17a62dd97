"""One token, asked for over the API's public address: the only proof that a service works.

It is asked in a thread of its own, because a first answer may take minutes, in which the log must
be watched. /health says 200 while an engine hangs (vllm issue 31588).
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PAUSE_S = 1.0
KNOCK_TIMEOUT_S = 2.0
SERVER_ERRORS = 3
"""Answers of 500 and more in a row that are taken for a refusal."""

SHOWN = 300
DENIED = (401, 403)
BAD_REQUEST, NOT_FOUND, SERVER_ERROR = 400, 404, 500
SERVED = re.compile(r"^vllm:request_success_total\{[^}]*\} ([0-9.e+]+)", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """Whom to ask and for what. `key` None: the API asks for none, or this node has none."""

    url: str
    served_name: str
    key: str | None
    timeout_s: float


@dataclass(frozen=True)
class Reply:
    """`status` 0: nothing answered, and `text` says why."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return self.status == 200


@dataclass
class Probe:
    """`answer` is the token's text, `refusal` why there will be none; both None: not yet."""

    question: Question
    is_witness: bool
    answer: str | None = None
    refusal: str | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        errors = 0
        while not self.closed.wait(PAUSE_S):
            reply = self.attempt()
            if reply.ok:
                self.answer = reply.text
                return
            errors = errors + 1 if reply.status >= SERVER_ERROR else 0
            if errors >= SERVER_ERRORS or BAD_REQUEST <= reply.status < SERVER_ERROR:
                self.refusal = f"{self.question.url} answers {reply.status}: {reply.text[:SHOWN]}"
                return

    def attempt(self) -> Reply:
        """A witness has no key: it sees from the engine's counters that somebody was answered."""
        if self.is_witness:
            return _witnessed(self.question)
        knock = _request(self.question, "/v1/models", None, KNOCK_TIMEOUT_S)
        if knock.ok:
            return complete(self.question)
        return knock if knock.status in DENIED else Reply(0, knock.text)


def start(question: Question, is_witness: bool) -> Probe:
    probe = Probe(question, is_witness)
    threading.Thread(target=probe.run, daemon=True).start()
    return probe


def complete(question: Question) -> Reply:
    """One token, by chat, or by plain completion where the model has no chat template."""
    asked: dict[str, Any] = {"model": question.served_name, "max_tokens": 1}
    chat = {**asked, "messages": [{"role": "user", "content": "Hi"}]}
    reply = _request(question, "/v1/chat/completions", chat, question.timeout_s)
    if reply.status in (BAD_REQUEST, NOT_FOUND):
        plain = {**asked, "prompt": "Hi"}
        reply = _request(question, "/v1/completions", plain, question.timeout_s)
    return _checked(reply)


def _checked(reply: Reply) -> Reply:
    """A page of something else on that port is no answer of an engine."""
    if not reply.ok:
        return reply
    try:
        choice = json.loads(reply.text)["choices"][0]
        message = choice.get("message") or {}
        return Reply(200, str(choice.get("text") or message.get("content") or ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return Reply(SERVER_ERROR, f"no completion in the answer: {reply.text}")


def _witnessed(question: Question) -> Reply:
    reply = _request(question, "/metrics", None, KNOCK_TIMEOUT_S)
    if not reply.ok:
        return Reply(0, reply.text)
    served = sum(float(count) for count in SERVED.findall(reply.text))
    return Reply(200, "") if served > 0 else Reply(0, "nobody was answered yet")


def _request(
    question: Question, path: str, body: Mapping[str, Any] | None, timeout_s: float
) -> Reply:
    headers = {"Content-Type": "application/json"}
    if question.key:
        headers["Authorization"] = f"Bearer {question.key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(question.url + path, data, headers)
    # A proxy of the environment is for the world outside, not for the node's own service.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return Reply(response.status, response.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read().decode("utf-8", "replace"))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Reply(0, f"{type(error).__name__}: {error}")
