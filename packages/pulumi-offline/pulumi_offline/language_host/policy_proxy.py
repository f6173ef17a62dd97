"""Stands between the engine and a policy pack until the pack may start.

The engine tells a stack's configuration to an analyzer by RPC, and pulumi_policy wants it in its
environment. So the host answers for the pack first, starts it once the configuration is known, and
passes every later call on as the bytes that it came in. Source: policy_proxy.go of sdk v3.259.0.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import grpc  # type: ignore[import-untyped]

from pulumi_offline.language_host.protocol import analyzer_pb2

# Pulumi's own limit (rpcutil.GrpcChannelOptions): whole stacks travel in one message.
MESSAGE_BYTES = 400 * 1024 * 1024
GRPC_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
)
# Long enough for waiting calls to return that the pack has ended.
CLOSE_GRACE_S = 1.0
ENDED_EARLY = "the policy pack exited before it was ready; see its output"
SERVICE = analyzer_pb2.DESCRIPTOR.services_by_name["Analyzer"]

Configuration = analyzer_pb2.AnalyzerStackConfigureRequest


def build_policy_variables(configuration: Configuration | None) -> dict[str, str]:
    """What pulumi_policy reads about the stack; empty when the engine has sent nothing."""
    if configuration is None:
        return {}
    return {
        "PULUMI_ORGANIZATION": configuration.organization,
        "PULUMI_PROJECT": configuration.project,
        "PULUMI_STACK": configuration.stack,
        "PULUMI_DRY_RUN": str(configuration.dry_run).lower(),
        "PULUMI_CONFIG": json.dumps(dict(configuration.config)),
    }


class PolicyProxy:
    """An Analyzer server on a free port of the loopback address."""

    def __init__(self) -> None:
        self._configuration: Future[Configuration | None] = Future()
        self._channel: Future[grpc.Channel] = Future()
        self._settling = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=32), options=GRPC_OPTIONS)
        answers = {"Handshake": self._greet, "ConfigureStack": self._configure}
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    SERVICE.full_name,
                    {
                        method.name: grpc.unary_unary_rpc_method_handler(
                            answers.get(method.name, partial(self._pass_on, method.name))
                        )
                        for method in SERVICE.methods
                    },
                )
            ]
        )
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def wait_for_configuration(self) -> Configuration | None:
        """Wait until the engine has sent the configuration, or another call first."""
        return self._configuration.result()

    def attach(self, port: int) -> None:
        """Send all calls, held ones too, to the pack on `port`."""
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=GRPC_OPTIONS)
        configuration = self._configuration.result()
        if configuration is not None:
            self._send_configuration(channel, configuration)
        self._channel.set_result(channel)

    def close(self) -> None:
        """End; calls that still wait for the pack fail."""
        self._settle(None)
        if not self._channel.done():
            self._channel.set_exception(RuntimeError(ENDED_EARLY))
        self._server.stop(CLOSE_GRACE_S)

    def _settle(self, configuration: Configuration | None) -> None:
        with self._settling:
            if not self._configuration.done():
                self._configuration.set_result(configuration)

    def _greet(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        return b""

    def _configure(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        self._settle(Configuration.FromString(request))
        return b""

    def _pass_on(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._settle(None)
        try:
            answer: bytes = self._ask(self._channel.result(), method, request)
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata())
            context.abort(error.code(), error.details())
        except RuntimeError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return answer

    def _send_configuration(self, channel: grpc.Channel, configuration: Configuration) -> None:
        try:
            self._ask(channel, "ConfigureStack", configuration.SerializeToString())
        except grpc.RpcError as error:
            # Packs of an older pulumi_policy have only their environment, which is enough.
            if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                raise

    def _ask(self, channel: grpc.Channel, method: str, request: bytes) -> bytes:
        call = channel.unary_unary(f"/{SERVICE.full_name}/{method}")
        answer: bytes = call(request, wait_for_ready=True)
        return answer
