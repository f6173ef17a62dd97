"""gateway: what it writes and renews, tells HAProxy, and takes back byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from node.changes.declared_files import WantedFile
from node.errors import StepError
from node.host.paths import GATEWAY
from node.host.system import CommandResult, HttpAnswer
from node.steps import gateway
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.fake_system import ANY_REQUEST
from tests.support.node_steps import (
    SparkMaker,
    list_differences,
    run_apply,
    run_lives,
    take_snapshot,
    undo_all,
)

EDGE = f"{GATEWAY}/edge.cfg"
KEY, ENGINE_KEY = "sk-canary-0123456789abcdef", "sk-engine-canary"
SECRETS = {"gatewayKeys": json.dumps({"alice": KEY}), "apiKey": ENGINE_KEY}
WANT = gateway.Want(
    node="spark-1",
    files=(
        WantedFile(EDGE, "0644", "global\n"),
        WantedFile(f"{GATEWAY}/answers/models.json", "0644", "{}"),
        WantedFile(gateway.EXTENSIONS, "0644", "subjectAltName = DNS:spark-1\n"),
    ),
    containers=("sparkform-gateway-edge",),
    certificate="made",
    has_engine_key=True,
)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "RELOAD_PAUSE_S", 0.0)


class OpensslAndDocker:
    """`is_valid`: what openssl says of the certificate. Each PEM that it makes is another."""

    def __init__(self, spark: FakeSpark) -> None:
        self.is_valid, self.number = True, 0
        self.told: list[str] = []
        self.is_deaf, self.workers = False, 1
        for command in ("genpkey", "req"):
            spark.system.script.commands[("openssl", command)] = self.make
        spark.system.script.commands[("openssl", "x509")] = self.handle_certificate
        spark.system.script.requests[ANY_REQUEST] = self.answer

    def make(self, argv: list[str], stdin: str) -> CommandResult:
        self.number += 1
        return CommandResult(0, f"-----BEGIN {self.number}-----\n", "")

    def handle_certificate(self, argv: list[str], stdin: str) -> CommandResult:
        if "-checkend" in argv:
            return CommandResult(0 if self.is_valid else 1, "", "")
        self.is_valid = True
        return self.make(argv, stdin)

    def answer(self, method: str, path: str, body: object) -> HttpAnswer:
        if "/top" in path:
            return HttpAnswer(200, {"Titles": ["PID"], "Processes": [["7"], [str(self.workers)]]})
        if "/kill" not in path:
            return HttpAnswer(404, {"message": "no such container"})
        self.told.append(path)
        self.workers += not self.is_deaf
        return HttpAnswer(204, None)


def apply(spark: FakeSpark, want: gateway.Want = WANT, run: int = 1, **secrets: str) -> list[str]:
    return run_apply(spark.system, "gateway", want, json.dumps(SECRETS | secrets), run)


def test_it_is_written_once_and_taken_back(spark: FakeSpark) -> None:
    before = take_snapshot(spark)
    machine = OpensslAndDocker(spark)
    claim_node(spark)
    assert f"{EDGE} is missing, will be written" in list_differences(
        gateway.SPEC, spark.system, WANT
    )
    apply(spark)
    assert list_differences(gateway.SPEC, spark.system, WANT) == []
    told = len(machine.told)
    assert apply(spark, run=2) == ["nothing to do"]
    assert len(machine.told) == told, "nothing changed, and HAProxy was told of a change"
    undo_all(spark.system)
    assert take_snapshot(spark) == before


def test_no_client_key_is_on_the_node_and_secrets_are_roots_alone(spark: FakeSpark) -> None:
    OpensslAndDocker(spark)
    claim_node(spark)
    apply(spark)
    texts = {
        str(path): path.read_text()
        for path in spark.system.root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert not [path for path, text in texts.items() if KEY in text]
    holders = [path for path, text in texts.items() if ENGINE_KEY in text]
    assert [path.endswith(gateway.ENGINE_KEY) for path in holders] == [True], "the planted canary"
    for path in gateway.list_secret_paths(WANT):
        state = spark.system.get_state(path)
        assert state is not None
        assert state.mode == 0o600
    assert not [call for call in spark.system.script.calls if KEY in str(call)]


@pytest.mark.parametrize("path", [EDGE, gateway.KEYS, gateway.TLS, gateway.ENGINE_KEY])
def test_each_file_that_drifts_is_put_right_and_told(path: str, spark: FakeSpark) -> None:
    machine = OpensslAndDocker(spark)
    claim_node(spark)
    apply(spark)
    machine.told.clear()
    spark.system.path(path).unlink()
    if path == gateway.TLS:
        machine.is_valid = False
    assert len(list_differences(gateway.SPEC, spark.system, WANT)) == 1
    assert f"{path}: written" in apply(spark, run=2)
    assert list_differences(gateway.SPEC, spark.system, WANT) == []
    assert machine.told == ["/containers/sparkform-gateway-edge/kill?signal=USR2"]


def test_a_gateway_that_keeps_its_old_files_is_an_error(spark: FakeSpark) -> None:
    machine = OpensslAndDocker(spark)
    claim_node(spark)
    machine.is_deaf = True
    with pytest.raises(StepError, match="does not take up its changed files"):
        apply(spark)
    assert len(machine.told) == gateway.RELOAD_TRIES
    assert list_differences(gateway.SPEC, spark.system, WANT) == [
        "the gateway was not told of its last change, will be"
    ]
    machine.is_deaf = False
    assert apply(spark, run=2) == ["sparkform-gateway-edge: takes up the change"]
    assert list_differences(gateway.SPEC, spark.system, WANT) == []


def test_a_certificate_is_renewed_by_the_same_ca(spark: FakeSpark) -> None:
    machine = OpensslAndDocker(spark)
    claim_node(spark)
    apply(spark)
    ca, old = spark.system.read(gateway.CA), spark.system.read(gateway.TLS)
    machine.is_valid = False
    assert list_differences(gateway.SPEC, spark.system, WANT) == [
        "the certificate ends within a month, will be renewed"
    ]
    apply(spark, run=2)
    assert spark.system.read(gateway.CA) == ca
    assert spark.system.read(gateway.TLS) != old


def test_an_own_certificate_and_none_leave_no_ca_behind(spark: FakeSpark) -> None:
    OpensslAndDocker(spark)
    claim_node(spark)
    apply(spark)
    own = replace(WANT, certificate="own", files=WANT.files[:2])
    apply(spark, own, 2, gatewayCertificate="CERT\n", gatewayCertificateKey="KEY\n")
    assert spark.system.read(gateway.TLS) == "CERT\nKEY\n"
    assert spark.system.read(gateway.CA_KEY) is None
    apply(spark, replace(own, certificate="none"), 3)
    assert spark.system.read(gateway.TLS) is None


def test_without_keys_nothing_is_open(spark: FakeSpark) -> None:
    OpensslAndDocker(spark)
    claim_node(spark)
    with pytest.raises(StepError, match="gatewayKeys"):
        apply(spark, gatewayKeys="")


def test_killed_at_any_effect_it_converges_and_goes_whole(make_spark: SparkMaker) -> None:
    def prepare() -> FakeSpark:
        spark = make_spark()
        OpensslAndDocker(spark)
        claim_node(spark)
        return spark

    reference = prepare()
    undo_all(reference.system)
    for spark in run_lives(prepare, apply):
        apply(spark, run=2)
        assert list_differences(gateway.SPEC, spark.system, WANT) == []
        undo_all(spark.system)
        assert take_snapshot(spark) == take_snapshot(reference)
