"""What a user declares: `parse_config` and `load_stack` make a Spec or raise every problem."""

from __future__ import annotations

from sparkform.spec.cluster import Cluster, Expected, Fabric, Node, Swarm, Waiver
from sparkform.spec.effective import FIRST_HOST, EffectiveNode, host_in
from sparkform.spec.parse import parse_config
from sparkform.spec.secret_keys import SECRET_KEYS, encrypted_blocks
from sparkform.spec.service import (
    AnyService,
    CudaGraph,
    ModelFacts,
    Service,
    Speculative,
    TrtllmService,
    VllmService,
)
from sparkform.spec.spec import Spec
from sparkform.spec.stack_file import load_stack

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
