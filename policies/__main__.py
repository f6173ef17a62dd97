"""The policy pack's entry point. PolicyPack starts a server and never returns."""

from __future__ import annotations

from pulumi_policy import PolicyPack

from policies.pack import POLICIES

PolicyPack("sparkform", policies=list(POLICIES))
