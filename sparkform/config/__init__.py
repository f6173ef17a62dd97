"""What a user declares: `parse_config` and `load_stack` make a Spec or raise every problem."""

from __future__ import annotations

from sparkform.config.cluster import Cluster, Expected, Fabric, Node, Swarm, Waiver
from sparkform.config.effective import FIRST_HOST, EffectiveNode, host_in
from sparkform.config.parse import parse_config
from sparkform.config.secret_keys import SECRET_KEYS, encrypted_blocks
from sparkform.config.service import (
    AnyService,
    CudaGraph,
    ModelFacts,
    Service,
    Speculative,
    TrtllmService,
    VllmService,
)
from sparkform.config.spec import Spec
from sparkform.config.stack_file import load_stack

__all__ = [
    "FIRST_HOST",
    "SECRET_KEYS",
    "AnyService",
    "Cluster",
    "CudaGraph",
    "EffectiveNode",
    "Expected",
    "Fabric",
    "ModelFacts",
    "Node",
    "Service",
    "Spec",
    "Speculative",
    "Swarm",
    "TrtllmService",
    "VllmService",
    "Waiver",
    "encrypted_blocks",
    "host_in",
    "load_stack",
    "parse_config",
]
