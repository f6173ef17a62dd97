"""What a user declares: a stack file becomes a Declaration or a list of all its problems."""

from __future__ import annotations

from sparkform.config.cluster import Cluster, Expected, Fabric, Node, Swarm, Waiver
from sparkform.config.declaration import Declaration
from sparkform.config.effective import FIRST_HOST, EffectiveNode, find_host_address
from sparkform.config.monitoring import Monitoring, MonitoringImages, MonitoringPorts
from sparkform.config.parse import parse_config
from sparkform.config.secret_keys import BLOCKS, SECRET_KEYS, check_encrypted_blocks
from sparkform.config.service import AnyService, Service, TrtllmService, VllmService
from sparkform.config.service_parts import Adapter, CudaGraph, ModelFacts, Speculative
from sparkform.config.stack_file import load_stack

__all__ = [
    "BLOCKS",
    "FIRST_HOST",
    "SECRET_KEYS",
    "Adapter",
    "AnyService",
    "Cluster",
    "CudaGraph",
    "Declaration",
    "EffectiveNode",
    "Expected",
    "Fabric",
    "ModelFacts",
    "Monitoring",
    "MonitoringImages",
    "MonitoringPorts",
    "Node",
    "Service",
    "Speculative",
    "Swarm",
    "TrtllmService",
    "VllmService",
    "Waiver",
    "check_encrypted_blocks",
    "find_host_address",
    "load_stack",
    "parse_config",
]
