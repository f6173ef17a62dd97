"""A private CA and what it signs, made by the real openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from node.gateway import certificate
from node.gateway.certificate import is_valid, make_ca, make_server, render_extensions
from node.host.system import System

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
NAMES = ("spark-1", "10.0.0.1", "fd00::1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    system = System()
    ca = make_ca(system, "test CA")
    (tmp_path / "ca.pem").write_text(ca.certificate)
    (tmp_path / "ca.key").write_text(ca.key)
    (tmp_path / "names.cnf").write_text(render_extensions(NAMES))
    paths = (str(tmp_path / "ca.pem"), str(tmp_path / "ca.key"))
    server = make_server(system, "spark-1", paths, str(tmp_path / "names.cnf"))
    (tmp_path / "tls.pem").write_text(server.certificate + server.key)
    return tmp_path


def verify(folder: Path, *options: str) -> bool:
    command = ["openssl", "verify", "-CAfile", str(folder / "ca.pem"), "-purpose", "sslserver"]
    result = subprocess.run(
        [*command, *options, str(folder / "tls.pem")], capture_output=True, check=False
    )
    return result.returncode == 0


def test_a_client_that_trusts_the_ca_takes_it_for_its_names_alone(folder: Path) -> None:
    assert verify(folder, "-x509_strict", "-verify_hostname", "spark-1")
    assert verify(folder, "-verify_ip", "10.0.0.1")
    assert verify(folder, "-verify_ip", "fd00::1")
    assert not verify(folder, "-verify_hostname", "spark-2")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "tls.pem")


def test_it_is_valid_until_a_month_before_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, path = System(), str(folder / "tls.pem")
    assert is_valid(system, path)
    monkeypatch.setattr(certificate, "RENEWAL_S", 398 * 24 * 3600)
    assert not is_valid(system, path)
    assert not is_valid(system, str(folder / "none.pem"))
