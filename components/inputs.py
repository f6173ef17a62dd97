"""What the program starts from: the stack's configuration, and what the nodes report."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
from pulumi.runtime import is_config_secret, is_dry_run

from sparkform.config import BLOCKS, SECRET_KEYS, Declaration, check_encrypted_blocks, parse_config
from sparkform.errors import InputError
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.targets import list_targets
from sparkform.report.rack_report import Observation
from sparkform.report.recording import FACTS_VARIABLE, load_facts
from sparkform.ssh.login_keys import find_stale_agent
from sparkform.ssh.observe import observe

API_KEY = "apiKey"


def read_declaration(config: pulumi.Config) -> Declaration:
    """The stack's configuration, or every mistake in it."""
    secret = [f"sparkform:{block}" for block in BLOCKS if is_config_secret(f"sparkform:{block}")]
    problems = list(check_encrypted_blocks(secret))
    if problems:
        raise InputError(problems)
    return parse_config(*(config.get_object(block) for block in BLOCKS))


def list_secret_names() -> frozenset[str]:
    """Which secrets the stack has; never what they are."""
    return frozenset(name for name in SECRET_KEYS if is_config_secret(f"sparkform:{name}"))


def read_stack_secrets(config: pulumi.Config) -> StackSecrets:
    """Their names, and in clear those that a node can be asked about."""
    key = config.get(API_KEY)
    return StackSecrets(list_secret_names(), {API_KEY: key} if key else {})


def observe_nodes(declaration: Declaration, passphrase: str | None) -> Observation:
    """All nodes, or what was recorded of them; every node that fails is named at once."""
    recording = os.environ.get(FACTS_VARIABLE)
    if recording and not is_dry_run():
        raise pulumi.RunError(f"{FACTS_VARIABLE} is set, but recorded facts are for previews only")
    observation = (
        load_facts(Path(recording)) if recording else observe(list_targets(declaration, passphrase))
    )
    messages = [
        f"{node}: {error.what} {error.remedy}" for node, error in observation.errors.items()
    ]
    stale = None if recording else find_stale_agent()
    messages += [str(stale)] if stale else []
    if messages:
        raise pulumi.RunError("\n".join(messages))
    return observation
