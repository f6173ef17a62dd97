"""The plugin counts as pulumi-command 1.2.1 for the engine, and refuses anything unsupported."""

from __future__ import annotations

import json

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2

from pulumi_offline_tests.conformance.engine import URN, CommandPlugin
from pulumi_offline_tests.conformance.values import from_struct, to_struct

CONNECTION = {"host": "h"}


def test_it_answers_with_the_version_that_the_sdk_asks_for(shared_plugin: CommandPlugin) -> None:
    assert shared_plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == "1.2.1"


def test_it_takes_secrets_resources_outputs_and_previews(shared_plugin: CommandPlugin) -> None:
    response = shared_plugin.configure()
    assert (response.acceptSecrets, response.acceptResources) == (True, True)
    assert (response.acceptOutputs, response.supportsPreview) == (True, True)


def test_provider_inputs_come_back_with_the_mark_of_the_official_framework(
    shared_plugin: CommandPlugin,
) -> None:
    request = provider_pb2.CheckRequest(
        urn="urn:pulumi:dev::conformance::pulumi:providers:command::default_1_2_1",
        news=to_struct({"version": "1.2.1"}),
    )
    response = shared_plugin.stub.CheckConfig(request)
    # A state must not differ between the plugins, or each change of plugin is a change to apply.
    assert from_struct(response.inputs) == {
        "version": "1.2.1",
        "__pulumi-go-provider-version": "1.2.0",
    }


def test_the_schema_says_which_inputs_there_are_and_which_are_secret(
    shared_plugin: CommandPlugin,
) -> None:
    response = shared_plugin.stub.GetSchema(provider_pb2.GetSchemaRequest())
    schema = json.loads(response.schema)
    resource = schema["resources"]["command:remote:Command"]
    endpoint = schema["types"]["command:remote:Connection"]["properties"]
    assert sorted(resource["inputProperties"]) == [
        "addPreviousOutputInEnv",
        "connection",
        "create",
        "delete",
        "environment",
        "logging",
        "stdin",
        "triggers",
        "update",
    ]
    assert resource["requiredInputs"] == ["connection"]
    assert sorted(resource["required"]) == ["connection", "stderr", "stdout"]
    assert [key for key, item in resource["inputProperties"].items() if item.get("secret")] == [
        "connection"
    ]
    assert sorted(key for key, item in endpoint.items() if item.get("secret")) == [
        "password",
        "privateKey",
        "privateKeyPassword",
    ]
    assert {key: item["default"] for key, item in endpoint.items() if "default" in item} == {
        "dialErrorLimit": 10,
        "perDialTimeout": 15,
        "port": 22,
        "user": "root",
    }
    assert resource["inputProperties"]["triggers"]["replaceOnChanges"] is True
    assert {item["value"] for item in schema["types"]["command:remote:Logging"]["enum"]} == {
        "none",
        "stderr",
        "stdout",
        "stdoutAndStderr",
    }


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"connection": CONNECTION, "dir": "/tmp"}, "dir"),
        ({"connection": {**CONNECTION, "timeout": 3}}, "timeout"),
        ({"connection": {**CONNECTION, "proxy": {"host": "p", "proxy": {"host": "q"}}}}, "proxy"),
        ({"connection": CONNECTION, "version": "1.2.1"}, "version"),
        ({"connection": CONNECTION, "__defaults": []}, "__defaults"),
    ],
)
def test_an_input_that_it_does_not_know_is_refused_by_name(
    shared_plugin: CommandPlugin, inputs: dict[str, object], named: str
) -> None:
    failures = shared_plugin.check(inputs).failures
    assert len(failures) == 1
    assert named in failures[0].reason
    assert failures[0].property in inputs


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"create": "true"}, "connection"),
        ({"connection": {}}, "host"),
        ({"connection": {**CONNECTION, "proxy": {}}}, "host"),
        ({"connection": {**CONNECTION, "port": "22"}}, "port"),
        ({"connection": CONNECTION, "create": 1}, "create"),
        ({"connection": CONNECTION, "stdin": {"a": "b"}}, "stdin"),
        ({"connection": CONNECTION, "environment": {"NAME": 1}}, "environment"),
        ({"connection": CONNECTION, "addPreviousOutputInEnv": "no"}, "addPreviousOutputInEnv"),
        ({"connection": CONNECTION, "triggers": "now"}, "triggers"),
    ],
)
def test_an_input_that_is_missing_or_of_the_wrong_kind_is_refused_by_name(
    shared_plugin: CommandPlugin, inputs: dict[str, object], named: str
) -> None:
    failures = shared_plugin.check(inputs).failures
    assert [named in failure.reason for failure in failures] == [True]


def test_all_that_is_wrong_is_said_at_once(shared_plugin: CommandPlugin) -> None:
    failures = shared_plugin.check({"connection": CONNECTION, "create": 1, "dir": "/"}).failures
    assert {failure.property for failure in failures} == {"create", "dir"}


def test_good_inputs_have_no_failure(shared_plugin: CommandPlugin) -> None:
    """The control of the refusals above."""
    inputs = {"connection": CONNECTION, "create": "true", "environment": {}, "triggers": []}
    assert not shared_plugin.check(inputs).failures


def test_a_resource_type_that_it_does_not_know_is_not_found(shared_plugin: CommandPlugin) -> None:
    urn = URN.replace("remote:Command", "remote:Nothing")
    with pytest.raises(grpc.RpcError) as caught:
        shared_plugin.check({"connection": CONNECTION}, urn=urn)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert "remote:Nothing" in caught.value.details()


def test_a_command_below_a_component_is_known(shared_plugin: CommandPlugin) -> None:
    below = URN.replace("command:remote", "sparkform:index:SparkNode$command:remote")
    assert not shared_plugin.check({"connection": CONNECTION}, urn=below).failures


@pytest.mark.parametrize("call", ["Handshake", "GetMapping", "DiffConfig", "Parameterize"])
def test_calls_that_the_official_plugin_lacks_are_unimplemented(
    shared_plugin: CommandPlugin, call: str
) -> None:
    kinds = {
        "Handshake": provider_pb2.ProviderHandshakeRequest,
        "GetMapping": provider_pb2.GetMappingRequest,
        "DiffConfig": provider_pb2.DiffRequest,
        "Parameterize": provider_pb2.ParameterizeRequest,
    }
    with pytest.raises(grpc.RpcError) as caught:
        getattr(shared_plugin.stub, call)(kinds[call]())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
