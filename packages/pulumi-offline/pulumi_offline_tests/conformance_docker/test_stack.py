"""Things on a node by real runs of `pulumi`."""

from __future__ import annotations

from typing import Any

from pulumi_offline_tests.conformance_docker.specs import encode_base64
from pulumi_offline_tests.conformance_docker.stack import DockerStack

CONTAINER = {
    "name": "engine",
    "image": "busybox:1",
    "command": ["sleep", "1000"],
    "network_mode": "host",
    "labels": [{"label": "token", "value": "abc-1"}],
}


def build_service(token: str) -> dict[str, Any]:
    return {
        "name": "ranks",
        "labels": [{"label": "token", "value": token}],
        "task_spec": {
            "container_spec": {"image": "busybox:1", "commands": ["sleep", "1000"]},
            "restart_policy": {"condition": "none", "delay": "0s", "window": "0s"},
        },
    }


def build_all_types() -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        "engine": ("Container", dict(CONTAINER)),
        "ranks": ("Service", build_service("abc-1")),
        "token": ("Secret", {"name": "token", "data": encode_base64("never to be seen")}),
        "options": ("ServiceConfig", {"name": "options", "data": encode_base64("fast: true")}),
    }


def test_things_are_made_kept_changed_one_by_one_and_taken_back(stack: DockerStack) -> None:
    stack.declared = build_all_types()
    assert "6 created" in stack.run_up()
    ids = {name: item["id"] for name, item in stack.list_resources().items()}
    assert len(ids) == 4
    again = stack.run_up()
    assert "6 unchanged" in again
    assert "created" not in again

    stack.declared["ranks"] = ("Service", build_service("abc-2"))
    changed = stack.run_up()
    assert "1 updated" in changed
    assert "5 unchanged" in changed
    (service,) = stack.node.docker.services()
    assert service["Spec"]["Labels"] == {"token": "abc-2"}

    stack.declared["engine"] = ("Container", {**CONTAINER, "command": ["sleep", "2000"]})
    assert "1 replaced" in stack.run_up()
    now = {name: item["id"] for name, item in stack.list_resources().items()}
    assert {name for name in ids if ids[name] != now[name]} == {"engine"}
    assert len(stack.node.docker.containers(filters={"name": "engine"})) == 1

    assert "6 deleted" in stack.run("destroy", "--yes", "--skip-preview")
    docker = stack.node.docker
    assert docker.services() == docker.secrets() == docker.configs() == []


def test_secret_data_are_never_in_plain_state_or_output(stack: DockerStack) -> None:
    stack.declared = {
        "token": ("Secret", {"name": "token", "data": encode_base64("never to be seen")})
    }
    output = stack.run_up()
    state = stack.project.run_well("stack", "export")
    revealed = stack.project.run_well("stack", "export", "--show-secrets")
    assert encode_base64("never to be seen") in revealed, "the control: it is there"
    assert encode_base64("never to be seen") not in state + output
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_refresh_sees_what_others_did_and_an_up_repairs_it(stack: DockerStack) -> None:
    stack.declared = {
        "engine": ("Container", dict(CONTAINER)),
        "ranks": ("Service", build_service("a")),
    }
    stack.run_up()
    docker = stack.node.docker
    docker.remove_container("engine", force=True)
    docker.remove_service("ranks")
    assert "2 deleted" in stack.run("refresh", "--yes", "--skip-preview")
    assert "2 created" in stack.run_up()
    docker.stop("engine", timeout=0)
    stack.run("refresh", "--yes", "--skip-preview")
    assert "1 updated" in stack.run_up()
    assert docker.inspect_container("engine")["State"]["Running"]
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_missing_service_fails_destroy_and_a_missing_container_does_not(
    stack: DockerStack,
) -> None:
    stack.declared = {
        "engine": ("Container", dict(CONTAINER)),
        "ranks": ("Service", build_service("a")),
    }
    stack.run_up()
    stack.node.docker.remove_container("engine", force=True)
    stack.node.docker.remove_service("ranks")
    output = stack.fail("destroy", "--yes", "--skip-preview")
    assert "Error deleting service with ID" in output
    assert list(stack.list_resources()) == ["ranks"]


def test_a_container_that_did_not_start_is_in_the_state_and_is_replaced(stack: DockerStack) -> None:
    stack.declared = {"engine": ("Container", {**CONTAINER, "command": ["/no-such-program"]})}
    output = stack.fail("up", "--yes", "--skip-preview")
    assert "Unable to start container" in output
    assert list(stack.list_resources()) == ["engine"]
    stack.declared = {"engine": ("Container", dict(CONTAINER))}
    assert "1 replaced" in stack.run_up()
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_name_that_is_taken_fails_up_and_leaves_the_other_alone(stack: DockerStack) -> None:
    stack.node.docker.create_container("busybox:1", command=["true"], name="engine")
    stack.declared = {"engine": ("Container", dict(CONTAINER))}
    assert '"/engine" is already in use' in stack.fail("up", "--yes", "--skip-preview")
    assert stack.list_resources() == {}
    assert len(stack.node.docker.containers(all=True)) == 1
