"""TLS at the door: versions, and a certificate that is renewed under connections that last."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from pathlib import Path

from tests.gateway.conftest import CHAT, make_certificate
from tests.support.gateway_process import (
    Answer,
    GatewayProcess,
    await_servers,
    build_route,
    build_setup,
    run_gateway,
)
from tests.support.openai_engine import serve_engine
from tests.support.waiting import wait_until


def trust(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


def handshake(gateway: GatewayProcess, *options: str) -> bool:
    """Whether openssl's client agrees with the gateway, with the weakest of its own settings."""
    listen = gateway.setup.listen
    command = ["openssl", "s_client", "-connect", f"{listen.address}:{listen.port}", *options]
    result = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    return "Cipher is (NONE)" not in result.stdout and result.returncode == 0


def test_only_current_tls_is_spoken_and_a_renewal_drops_nothing(folder: Path) -> None:
    (folder / "secrets").mkdir()
    old = make_certificate(folder / "old.pem")
    new = make_certificate(folder / "new.pem")
    shutil.copy(old, folder / "secrets" / "tls.pem")
    with serve_engine("engine") as engine:
        setup = build_setup([build_route("qwen", CHAT, engine.port)], is_tls=True)
        with run_gateway(folder, setup, trust(old)) as gateway:
            await_servers(gateway, 1)
            assert handshake(gateway, "-tls1_3")
            assert handshake(gateway, "-tls1_2")
            for weak in (
                ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
                ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
                ("-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"),
            ):
                assert not handshake(gateway, *weak), weak
            answers: list[Answer] = []
            script = {"events": 40, "pause_s": 0.1}

            def stream() -> None:
                answers.append(gateway.chat(CHAT, stream=True, script=script))

            under_way = threading.Thread(target=stream)
            under_way.start()
            wait_until(lambda: engine.open_now == 1, "no stream is under way", 20)
            shutil.copy(new, folder / "secrets" / "tls.pem")
            gateway.reload()
            gateway.tls = trust(new)

            def is_renewed() -> bool:
                try:
                    return gateway.chat(CHAT).status == 200
                except ssl.SSLError:
                    return False

            wait_until(is_renewed, "the new certificate is not shown", 30)
            under_way.join()
            assert answers[0].body.endswith(b"data: [DONE]\n\n")
