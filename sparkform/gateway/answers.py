"""What the gateway itself answers, in the form of OpenAI's API.

The form of errors and of /v1/models: openai-openapi's `ErrorResponse` and `ListModelsResponse`
(github.com/openai/openai-openapi). The official clients try 408, 409, 429 and 5xx again, and wait
as `Retry-After` says (github.com/openai/openai-python, "Retries").
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

RETRY_AFTER_S = 10
OWNER = "sparkform"


@dataclass(frozen=True)
class ErrorAnswer:
    """`code` and `param`: as in OpenAI's errors, null where none is meant."""

    status: int
    reason: str
    message: str
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> str:
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return json.dumps({"error": error})

    def render(self) -> str:
        """A whole HTTP/1.1 message, as HAProxy's `errorfile` takes it."""
        body = self.body
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body.encode()))),
            ("Cache-Control", "no-store"),
            *self.headers,
        ]
        lines = [
            f"HTTP/1.1 {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        return "\r\n".join([*lines, "", body])


RETRY = (("Retry-After", str(RETRY_AFTER_S)),)
UNAVAILABLE = ErrorAnswer(
    503,
    "Service Unavailable",
    "The model does not answer at the moment: it is starting, recovering or stopped. Try again.",
    "server_error",
    "model_unavailable",
    headers=RETRY,
)
OWN_ERRORS = {
    400: ErrorAnswer(400, "Bad Request", "The request is no valid HTTP request."),
    408: ErrorAnswer(408, "Request Timeout", "The request did not arrive in time."),
    500: ErrorAnswer(500, "Internal Server Error", "The gateway failed.", "server_error"),
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: ErrorAnswer(
        504, "Gateway Timeout", "The model did not answer in time.", "server_error", "timeout"
    ),
}
"""By the status that HAProxy itself would answer with. What an engine that closed its connection
gave before the first byte is tried again elsewhere; then 502 becomes 503, as it may pass."""

UNAUTHORIZED = ErrorAnswer(
    401,
    "Unauthorized",
    "No key or a wrong one was given: send the header `Authorization: Bearer KEY`.",
    code="invalid_api_key",
)
UNKNOWN_URL = ErrorAnswer(404, "Not Found", "This URL is not served here.", code="unknown_url")
WRONG_METHOD = ErrorAnswer(
    405, "Method Not Allowed", "This URL is not served with this method.", code="method_not_allowed"
)
TOO_LARGE = ErrorAnswer(
    413, "Content Too Large", "The request's body is too large.", code="request_too_large"
)
TOO_MANY = ErrorAnswer(
    429,
    "Too Many Requests",
    "This key has as many requests as it may have, at once or within a minute. Try again.",
    "requests",
    "rate_limit_exceeded",
)
NO_MODEL = ErrorAnswer(
    400,
    "Bad Request",
    "The body is no JSON object that names a model.",
    code="missing_model",
    param="model",
)


def build_unknown_model(names: Iterable[str]) -> ErrorAnswer:
    served = ", ".join(names) or "none"
    return ErrorAnswer(
        404,
        "Not Found",
        f"The model does not exist here. Served are: {served}.",
        code="model_not_found",
        param="model",
    )


def render_models(names: Iterable[str]) -> str:
    models = [{"id": name, "object": "model", "created": 0, "owned_by": OWNER} for name in names]
    return json.dumps({"object": "list", "data": models})
