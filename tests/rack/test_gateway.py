"""A gateway on a rack, with Debian's real HAProxy: keys, TLS by the CA of the output, both services
behind one address, drift, a change without a dropped connection, and what destroy leaves.

The engines are the tiny one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from node.host.paths import GATEWAY
from node.steps.gateway import KEYS as KEYS_FILE
from sparkrack import registry
from sparkrack.gateway import images
from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.alerts import await_state
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

HEAD, WORKER = "spark-1", "spark-2"
KEY, OTHER_KEY = "sk-alice-canary-0123456789", "sk-bob-canary-0123456789"
ENGINE_KEY = "sk-engine-canary-0123456789"
FIRST, SECOND = "tiny", "tiny-2"
LIMIT_S = 90.0
CA_FILE = "/tmp/gateway-ca.pem"


@dataclass(frozen=True)
class Door:
    rack: RackHandle
    deployment: Deployment
    url: str

    def ask(self, path: str, model: str = "", key: str = KEY) -> tuple[str, int]:
        """The body and the status of an answer to a client on the node that runs no gateway."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
        data = "-H 'Content-Type: application/json' -d @-" if model else ""
        command = (
            f"curl -s -m 20 --cacert {CA_FILE} -w ' %{{http_code}}' {data} "
            f"-H 'Authorization: Bearer {key}' {self.url}{path} || true"
        )
        text = self.rack.ask(WORKER, command, json.dumps(body)).stdout
        answer, _, status = text.rpartition(" ")
        return answer, int(status or 0)

    def chat(self, model: str, key: str = KEY) -> tuple[str, int]:
        return self.ask("/chat/completions", model, key)

    def read_agent(self, host: str) -> str:
        """What a supervisor answers the gateway; asked from there, since others are not heard."""
        address = self.rack.find_node(host).address
        ports = "7678 7679 7680"
        script = (
            f"for port in {ports}; do timeout 3 bash -c "
            f"'exec 3<>/dev/tcp/{address}/'$port' && read -t 2 line <&3 && echo $line' "
            "2>/dev/null; done; true"
        )
        return self.rack.must(HEAD, script).strip()


@pytest.fixture(scope="module")
def door(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    machines = rack(nodes=2, fabric="direct")
    tiny_engine.install(machines)
    image = registry.publish(machines.rack, images.ensure(print), images.REFERENCE)
    before = compute_digest(machines)
    deployment = Deployment.create(machines, tmp_path_factory.mktemp("gateway"))
    deployment.declare_memory()
    deployment.services = {
        "first": tiny_engine.build_service(tensorParallel=1, nodes=[HEAD], servedName=FIRST),
        "second": tiny_engine.build_service(tensorParallel=1, nodes=[WORKER], servedName=SECOND),
    }
    deployment.gateway = {"image": image, "limits": {"drainSeconds": 20}}
    deployment.write_stack_file()
    deployment.set_secret("gatewayKeys", json.dumps({"alice": KEY, "bob": OTHER_KEY}))
    deployment.set_secret("apiKey", ENGINE_KEY)
    deployment.up()
    outputs = deployment.read_outputs()
    for host in machines.hosts:
        machines.must(host, f"cat > {CA_FILE}", outputs["gatewayCertificate"] + "\n")
    yield Door(machines, deployment, outputs["apiUrl"])
    for host in machines.hosts:
        machines.must(host, f"rm {CA_FILE}")
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def await_status(door: Door, model: str, status: int, key: str = KEY) -> None:
    last: list[tuple[str, int]] = []

    def is_answered() -> bool:
        last.append(door.chat(model, key))
        return last[-1][1] == status

    await_state(is_answered, lambda: f"{model}: {last[-1]}", LIMIT_S)


def test_both_services_answer_at_one_address_with_a_key(door: Door) -> None:
    assert door.url.startswith("https://")
    for model in (FIRST, SECOND):
        await_status(door, model, 200)
    body, status = door.ask("/models")
    assert status == 200
    assert [entry["id"] for entry in json.loads(body)["data"]] == [FIRST, SECOND]
    body, status = door.chat("nobody")
    assert (status, json.loads(body)["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("key", ["sk-wrong-0123456789abcdef", ENGINE_KEY])
def test_nothing_passes_without_a_clients_key(door: Door, key: str) -> None:
    for path, model in (("/models", ""), ("/chat/completions", FIRST)):
        body, status = door.ask(path, model, key)
        assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")


def test_a_second_up_changes_nothing(door: Door) -> None:
    outcome = door.deployment.up()
    assert (outcome.changed, outcome.messages) == (set(), [])


def test_no_key_is_in_plain_where_it_does_not_belong(door: Door) -> None:
    """The engine's key is in root's files; a client's is nowhere."""
    for host in door.rack.hosts:
        # As a pattern: the search itself is in sudo's log.
        pattern = KEY.replace("-", "[-]")
        search = f"sudo grep -rls '{pattern}' /var/lib/sparkform /etc /var/log || true"
        assert door.rack.must(host, search) == ""
    engine = ENGINE_KEY.replace("-", "[-]")
    planted = f"sudo grep -rls '{engine}' /var/lib/sparkform || true"
    assert door.rack.must(HEAD, planted), "the search finds what is there"
    assert KEY not in json.dumps(door.deployment.read_outputs())
    states = (door.deployment.folder / "state").rglob("*.json")
    assert not [path for path in states if KEY in path.read_text()]
    digests = door.rack.must(HEAD, f"sudo cat {KEYS_FILE}")
    assert re.fullmatch(r"([0-9A-F]{64} (alice|bob)\n){2}", digests)


def test_supervisors_tell_the_gateway_that_their_services_may_be_asked(door: Door) -> None:
    for host in door.rack.hosts:
        await_state(
            lambda host=host: door.read_agent(host) == "ready up",  # type: ignore[misc]
            lambda host=host: f"{host}: {door.read_agent(host)}",  # type: ignore[misc]
            LIMIT_S,
        )


def test_an_alias_comes_without_a_dropped_connection(door: Door) -> None:
    log = "/tmp/gateway-asked"
    loop = (
        f"rm -f {log}; for i in $(seq 200); do curl -s -m 20 --cacert {CA_FILE} -o /dev/null "
        f"-w '%{{http_code}}\\n' -H 'Authorization: Bearer {KEY}' {door.url}/models >> {log}; "
        "sleep 0.2; done"
    )
    door.rack.must(WORKER, f'nohup bash -c "{loop}" > /dev/null 2>&1 &')
    assert door.deployment.gateway is not None
    door.deployment.gateway["aliases"] = {"best": "second"}
    outcome = door.deployment.preview_and_up()
    assert outcome.changed_steps == {f"{HEAD}-gateway", f"{HEAD}-gateway_ca"}
    assert any("no connection is dropped" in line for line in outcome.messages)
    await_status(door, "best", 200)
    time.sleep(2)
    statuses = set(door.rack.must(WORKER, f"cat {log}; pkill -f {log} || true").split())
    assert statuses == {"200"}


def test_a_file_that_drifts_is_put_right_by_one_up(door: Door) -> None:
    door.rack.must(HEAD, f"sudo sed -i s/tiny/tony/ {GATEWAY}/models.map")
    outcome = door.deployment.preview_and_up()
    assert outcome.changed_steps == {f"{HEAD}-gateway", f"{HEAD}-gateway_ca"}
    line = f"{HEAD} gateway: {GATEWAY}/models.map is changed, will be written"
    assert line in outcome.messages
    await_status(door, FIRST, 200)


def test_a_removed_key_opens_nothing_any_more(door: Door) -> None:
    assert door.chat(FIRST, OTHER_KEY)[1] == 200
    door.deployment.set_secret("gatewayKeys", json.dumps({"alice": KEY}))
    door.deployment.up()
    await_status(door, FIRST, 401, OTHER_KEY)
    assert door.chat(FIRST)[1] == 200


def test_a_service_that_fails_is_503_and_the_other_serves(door: Door) -> None:
    door.rack.must(WORKER, "sudo docker kill sparkform-second-0")
    await_status(door, SECOND, 503)
    body, _ = door.chat(SECOND)
    assert json.loads(body)["error"]["code"] == "model_unavailable"
    assert door.chat(FIRST)[1] == 200
    door.deployment.up("--refresh")
    await_status(door, SECOND, 200)
