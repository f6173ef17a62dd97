"""Secrets have four places, all at the top; no message repeats one."""

from __future__ import annotations

import pytest

from sparkform.config import SECRET_KEYS, check_encrypted_blocks
from tests.unit.config.support import (
    build_changed_cluster,
    build_cluster,
    find_problem,
    find_problems,
    trtllm,
)

CIPHER = {"secure": "v1:AAABADQXFlU0mxbTgNyl39UfVg=="}


@pytest.mark.parametrize(
    ("block", "services", "path", "key"),
    [
        (build_changed_cluster(1, hostKey=CIPHER), None, "cluster.nodes[1].hostKey", "KEY"),
        (
            build_cluster(sshKeyPassphrase=CIPHER),
            None,
            "cluster.sshKeyPassphrase",
            "sshKeyPassphrase",
        ),
        (
            build_cluster(),
            {"q": trtllm(environment={"HF_TOKEN": CIPHER})},
            "services.q.environment.HF_TOKEN",
            "hfToken",
        ),
        (build_cluster(), {"q": trtllm(apiKey=CIPHER)}, "services.q.apiKey", "apiKey"),
        (
            build_cluster(),
            {"q": trtllm(extraArgs=["--x", CIPHER])},
            "services.q.extraArgs[1]",
            "KEY",
        ),
        (build_cluster(), {"q": CIPHER}, "services.q", "KEY"),
        (build_cluster(fabric=CIPHER), None, "cluster.fabric", "KEY"),
    ],
)
def test_an_encrypted_value_below_a_block_is_refused_with_the_key_to_use(
    block: object, services: object, path: str, key: str
) -> None:
    problem = find_problem(block, services)
    assert (problem.path, problem.message) == (path, "contains an encrypted value")
    assert f"sparkform:{key}`" in (problem.remedy or "")


@pytest.mark.parametrize(
    ("unknown_key", "secret_key"),
    [
        ("hfToken", "hfToken"),
        ("huggingFaceToken", "hfToken"),
        ("api_key", "apiKey"),
        ("registryPassword", "registryPassword"),
        ("passphrase", "sshKeyPassphrase"),
    ],
)
def test_a_plain_secret_under_an_unknown_key_is_sent_to_its_place_and_not_repeated(
    unknown_key: str, secret_key: str
) -> None:
    problem = find_problem(build_cluster(**{unknown_key: "hf_canary"}))
    assert problem.remedy is not None
    assert f"--secret sparkform:{secret_key}`" in problem.remedy
    assert "hf_canary" not in str(problem)


@pytest.mark.parametrize(
    "service",
    [
        trtllm(environment={"HF_TOKEN": 700700700}),
        trtllm(environment={"HF_TOKEN": "700700700\0"}),
        trtllm(extraArgs=["--api-key", 700700700]),
        trtllm(token="700700700"),
    ],
)
def test_no_message_repeats_what_people_put_into_environments_arguments_and_unknown_keys(
    service: object,
) -> None:
    text = "\n".join(map(str, find_problems(build_cluster(), {"qwen": service})))
    assert text
    assert "700700700" not in text


def test_a_message_about_another_value_does_repeat_it() -> None:
    assert "700700700" in str(find_problem(build_cluster(), {"qwen": trtllm(port=700700700)}))


def test_a_block_that_pulumi_decrypted_is_refused_by_its_name() -> None:
    reported = list(check_encrypted_blocks({"sparkform:hfToken", "sparkform:services"}))
    assert [problem.path for problem in reported] == ["services"]
    assert all(f"sparkform:{key}" in (reported[0].allowed or "") for key in SECRET_KEYS)


def test_secrets_at_their_own_keys_are_no_problem() -> None:
    assert not list(check_encrypted_blocks({f"sparkform:{key}" for key in SECRET_KEYS}))
