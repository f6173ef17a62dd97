"""One answer, requested over the API's public address: the only proof that a service works.

A token of a model that generates, the embedding of a text, the score of a document.

It is requested in a thread of its own, because a first answer may take minutes, in which the log
must be watched. /health returns 200 while an engine hangs (vllm issue 31588).
"""

from __future__ import annotations

import http.client
import json
import math
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Task = Literal["generate", "embed", "rerank"]
PAUSE_S = 1.0
CONNECT_TIMEOUT_S = 2.0
SERVER_ERRORS = 3
"""Answers of 500 and more in a row that count as a refusal."""

SHOWN = 300
DENIED = (401, 403)
BAD_REQUEST, NOT_FOUND, SERVER_ERROR = 400, 404, 500
NO_TEMPLATE = re.compile("chat.template", re.IGNORECASE)
SERVED = re.compile(r"^vllm:request_success_total\{[^}]*\} ([0-9.e+]+)", re.MULTILINE)


@dataclass(frozen=True)
class CompletionRequest:
    """Which API to ask, for which model. `key` None: the API needs none, or this node has none.
    `headers`: further ones."""

    url: str
    served_name: str
    key: str | None
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    task: Task = "generate"


@dataclass(frozen=True)
class CompletionReply:
    """`status` 0: nothing answered, and `text` says why."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return self.status == 200


@dataclass
class CompletionProbe:
    """`answer` is the token's text, `refusal` why there will be none; both None: not yet."""

    completion_request: CompletionRequest
    is_witness: bool
    answer: str | None = None
    refusal: str | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    def poll(self) -> None:
        errors = 0
        while not self.closed.wait(PAUSE_S):
            reply = self.attempt()
            if reply.ok:
                self.answer = reply.text
                return
            errors = errors + 1 if reply.status >= SERVER_ERROR else 0
            if errors >= SERVER_ERRORS or BAD_REQUEST <= reply.status < SERVER_ERROR:
                self.refusal = (
                    f"{self.completion_request.url} answers {reply.status}: {reply.text[:SHOWN]}"
                )
                return

    def attempt(self) -> CompletionReply:
        """A witness has no key: it reads from the engine's counters that a request was served."""
        if self.is_witness:
            return _witness(self.completion_request)
        models_reply = send_request(self.completion_request, "/v1/models", None, CONNECT_TIMEOUT_S)
        if models_reply.ok:
            return request_completion(self.completion_request)
        return (
            models_reply if models_reply.status in DENIED else CompletionReply(0, models_reply.text)
        )


def start(completion_request: CompletionRequest, is_witness: bool) -> CompletionProbe:
    probe = CompletionProbe(completion_request, is_witness)
    threading.Thread(target=probe.poll, daemon=True).start()
    return probe


def request_completion(completion_request: CompletionRequest) -> CompletionReply:
    """What the service is there for, of the least size."""
    if completion_request.task == "embed":
        return _request_embedding(completion_request)
    if completion_request.task == "rerank":
        return _request_score(completion_request)
    return _request_token(completion_request)


def _request_embedding(completion_request: CompletionRequest) -> CompletionReply:
    body = {"model": completion_request.served_name, "input": "Hi"}
    reply = send_request(completion_request, "/v1/embeddings", body, completion_request.timeout_s)
    return _check_number(reply, lambda answer: answer["data"][0]["embedding"][0])


def _request_score(completion_request: CompletionRequest) -> CompletionReply:
    """/v1/rerank is Jina's, which vLLM has (docs.vllm.ai, serving/openai_compatible_server)."""
    body = {"model": completion_request.served_name, "query": "Hi", "documents": ["Hi"]}
    reply = send_request(completion_request, "/v1/rerank", body, completion_request.timeout_s)
    return _check_number(reply, lambda answer: answer["results"][0]["relevance_score"])


def _check_number(
    reply: CompletionReply, find: Callable[[Mapping[str, Any]], object]
) -> CompletionReply:
    """A vector of something else than numbers (NaN) is no answer."""
    if not reply.ok:
        return reply
    try:
        number = find(json.loads(reply.text))
    except (ValueError, KeyError, IndexError, TypeError):
        number = None
    if isinstance(number, float | int) and math.isfinite(number):
        return CompletionReply(200, f"{number:g}")
    return CompletionReply(SERVER_ERROR, f"no number in the answer: {reply.text}")


def _request_token(completion_request: CompletionRequest) -> CompletionReply:
    """One token, by chat, or by plain completion where the model has no chat template."""
    body: dict[str, object] = {"model": completion_request.served_name, "max_tokens": 1}
    chat = {**body, "messages": [{"role": "user", "content": "Hi"}]}
    reply = send_request(
        completion_request, "/v1/chat/completions", chat, completion_request.timeout_s
    )
    # Another refusal is one of every chat: gpt-oss without its vocabulary files opens its API.
    has_no_chat = reply.status == BAD_REQUEST and NO_TEMPLATE.search(reply.text) is not None
    if has_no_chat or reply.status == NOT_FOUND:
        prompt = {**body, "prompt": "Hi"}
        reply = send_request(
            completion_request, "/v1/completions", prompt, completion_request.timeout_s
        )
    return _check_completion(reply)


def _check_completion(reply: CompletionReply) -> CompletionReply:
    """A page of something else on that port is no answer of an engine."""
    if not reply.ok:
        return reply
    try:
        choice = json.loads(reply.text)["choices"][0]
        message = choice.get("message") or {}
        return CompletionReply(200, str(choice.get("text") or message.get("content") or ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return CompletionReply(SERVER_ERROR, f"no completion in the answer: {reply.text}")


def _witness(completion_request: CompletionRequest) -> CompletionReply:
    reply = send_request(completion_request, "/metrics", None, CONNECT_TIMEOUT_S)
    if not reply.ok:
        return CompletionReply(0, reply.text)
    served = sum(float(count) for count in SERVED.findall(reply.text))
    return CompletionReply(200, "") if served > 0 else CompletionReply(0, "no request served yet")


def send_request(
    completion_request: CompletionRequest,
    path: str,
    body: Mapping[str, object] | None,
    timeout_s: float,
) -> CompletionReply:
    headers = {"Content-Type": "application/json", **completion_request.headers}
    if completion_request.key:
        headers["Authorization"] = f"Bearer {completion_request.key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(completion_request.url + path, data, headers)
    # A proxy of the environment is for the world outside, not for the node's own service.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return CompletionReply(response.status, response.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return CompletionReply(error.code, error.read().decode("utf-8", "replace"))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return CompletionReply(0, f"{type(error).__name__}: {error}")
