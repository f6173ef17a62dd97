"""What the program starts from: the stack's configuration, and what the nodes report."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
from pulumi.runtime import is_config_secret, is_dry_run

from sparkform.config import SECRET_KEYS, Spec, encrypted_blocks, parse_config
from sparkform.errors import InputError
from sparkform.plan.secrets import Secrets
from sparkform.plan.targets import targets
from sparkform.report.rack_report import Observation
from sparkform.report.recording import ENVIRONMENT, load_facts
from sparkform.ssh.login_keys import stale_agent
from sparkform.ssh.observe import observe

API_KEY = "apiKey"
BLOCKS = ("cluster", "services")


def declared(config: pulumi.Config) -> Spec:
    """The stack's configuration, or every mistake in it."""
    secret = [f"sparkform:{block}" for block in BLOCKS if is_config_secret(f"sparkform:{block}")]
    problems = list(encrypted_blocks(secret))
    if problems:
        raise InputError(problems)
    return parse_config(*(config.get_object(block) for block in BLOCKS))


def secret_names() -> frozenset[str]:
    """Which secrets the stack has; never what they are."""
    return frozenset(name for name in SECRET_KEYS if is_config_secret(f"sparkform:{name}"))


def stack_secrets(config: pulumi.Config) -> Secrets:
    """Their names, and in clear those that a node can be asked about."""
    key = config.get(API_KEY)
    return Secrets(secret_names(), {API_KEY: key} if key else {})


def seen(spec: Spec, passphrase: str | None) -> Observation:
    """All nodes, or what was recorded of them; every node that fails is named at once."""
    recorded = os.environ.get(ENVIRONMENT)
    if recorded and not is_dry_run():
        raise pulumi.RunError(f"{ENVIRONMENT} is set: recorded facts are for previews only")
    found = load_facts(Path(recorded)) if recorded else observe(targets(spec, passphrase))
    said = [f"{node}: {error.what} {error.remedy}" for node, error in found.errors.items()]
    stale = None if recorded else stale_agent()
    said += [str(stale)] if stale else []
    if said:
        raise pulumi.RunError("\n".join(said))
    return found
