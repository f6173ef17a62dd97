"""What engines print when they cannot go on. The only list; `source` says where each was read.

`sparkform explain` shows the rows, `tests/unit/node/ready` holds their rules to rules.csv.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

TRTLLM, VLLM = "trtllm", "vllm"
BOTH = (TRTLLM, VLLM)


@dataclass(frozen=True)
class Signature:
    """`pattern` is searched in each line. `rule` is an id of rules.csv that is about the cause.

    A row that is `final` ends the wait at once; another one explains a death that follows. A row
    `of_fabric` counts only where several ranks are to talk over RDMA.
    """

    id: str
    pattern: str
    summary: str
    remedy: str
    source: str
    rule: str | None = None
    engines: tuple[str, ...] = BOTH
    final: bool = True
    of_fabric: bool = False

    def matches(self, line: str) -> bool:
        return re.search(self.pattern, line) is not None


_GLIBC = (
    r"double free detected in tcache|double free or corruption|free\(\): invalid (pointer|size)"
    r"|malloc\(\): |munmap_chunk\(\): invalid pointer|corrupted (size vs|double-linked list)"
)
_SEGFAULT = (
    r"\*\*\* SIGSEGV received|Signal: Segmentation fault|!!! Segfault encountered !!!"
    r"|Fatal Python error: Segmentation fault|exited on signal 11\b"
)
_COLLECTIVE = r"Watchdog caught collective operation timeout|NCCL watchdog .*timed? ?out"
# The autotuners try kernels that do not fit and go on without them.
_NO_TUNER = r"^(?!.*[Aa]uto[Tt]uner).*"
_MEMORY = (
    r"(torch\.(cuda\.)?OutOfMemoryError|CUDA( runtime)? error( in [^:]*)?: out of memory"
    r"|Executor creation failed due to insufficient GPU memory)"
)

SIGNATURES: tuple[Signature, ...] = (
    Signature(
        "attention-sinks",
        r"attention sinks is only supported on SM90",
        "the image has this model's attention kernels for SM90 only; a GB10 is SM121",
        "image: TensorRT-LLM 1.2.0rc1 or newer (1.2.1 for one and two Sparks)",
        "https://github.com/NVIDIA/TensorRT-LLM/issues/8474; pull 7937",
        rule="trt-gptoss-image",
        engines=(TRTLLM,),
    ),
    Signature(
        "no-sm120-experts",
        r"TRTLLMGenFusedMoE does not support SM120",
        "the TRTLLM kernels of mixture-of-experts layers do not exist for a GB10",
        "moeBackend: CUTLASS",
        "tensorrt_llm/_torch/modules/fused_moe/fused_moe_trtllm_gen.py; issue 8474",
        rule="trt-moe-backend",
        engines=(TRTLLM,),
    ),
    Signature(
        "no-kernel-image",
        r"no kernel image is available for execution on the device",
        "the image holds a kernel that was not built for the GB10 (sm_121)",
        "image: one that was built for 12.1a; `sparkform recommend MODEL` names one",
        "CUDA runtime API, cudaErrorNoKernelImageForDevice",
        rule="known-failure",
    ),
    Signature(
        "double-free",
        _GLIBC,
        "the engine has corrupted its own memory",
        "image: 1.2.1 on several Sparks, and one rank a node; then look at the kept log",
        "glibc malloc/malloc.c; https://github.com/NVIDIA/TensorRT-LLM/issues/2953",
        rule="trt-multinode-image",
        engines=(TRTLLM,),
    ),
    Signature(
        "double-free",
        _GLIBC,
        "the engine has corrupted its own memory",
        "image: another build of vLLM; then look at the kept log",
        "glibc malloc/malloc.c",
        rule="nccl-soak",
        engines=(VLLM,),
    ),
    Signature(
        "segmentation-fault",
        _SEGFAULT,
        "the engine has crashed (SIGSEGV)",
        "image: 1.2.1 on several Sparks; 1.3.0rc6 to rc18 crash while they tune kernels there",
        "https://github.com/NVIDIA/TensorRT-LLM/issues/12715; Open MPI, absl and faulthandler",
        rule="trt-multinode-image",
        engines=(TRTLLM,),
    ),
    Signature(
        "segmentation-fault",
        _SEGFAULT,
        "the engine has crashed (SIGSEGV)",
        "image: one with NCCL 2.30 or newer; 2.28.9 crashes on two Sparks",
        "https://github.com/NVIDIA/nccl/issues/2213; absl and faulthandler",
        rule="nccl-soak",
        engines=(VLLM,),
    ),
    Signature(
        "nccl-timeout",
        _COLLECTIVE,
        "a rank waited for the others until NCCL gave up",
        "image: 1.2.1, and allReduce: NCCL; `sparkform doctor` tries every link",
        "torch ProcessGroupNCCL; https://github.com/NVIDIA/TensorRT-LLM/issues/12715",
        rule="trt-multinode-image",
        engines=(TRTLLM,),
    ),
    Signature(
        "nccl-timeout",
        _COLLECTIVE,
        "a rank waited for the others until NCCL gave up",
        "`sparkform doctor` tries every link; image: one with NCCL 2.30 or newer",
        "torch ProcessGroupNCCL; https://github.com/vllm-project/vllm/issues/42354",
        rule="nccl-soak",
        engines=(VLLM,),
    ),
    Signature(
        "rdma-timeout",
        r"NCCL WARN .*ibv_modify_qp failed with error .*(timed out|errno 110)",
        "two ranks cannot reach each other over RDMA",
        "`sparkform doctor` tries every link; a ring needs NCCL 2.30 and its variables",
        "https://github.com/eugr/spark-vllm-docker/issues/252",
        rule="ring-env",
    ),
    Signature(
        "no-rdma",
        r"NCCL WARN .*(Failed to initialize any NET plugin|Error: network IB not found)",
        "NCCL found no RDMA device, and NCCL_NET=IB keeps it from falling back to sockets",
        "/dev/infiniband must be in the container: runtime: container gives it as a device",
        "nccl src/plugin/net.cc; NCCL_NET in NVIDIA's guide to its variables",
        rule="docker-rdma",
    ),
    Signature(
        "socket-fallback",
        r"NCCL INFO Using network Socket",
        "NCCL has fallen back to sockets: the ranks would talk at a fraction of RDMA's speed",
        "`sparkform doctor`; take NCCL_IB_DISABLE and NCCL_NET out of environment",
        "https://github.com/NVIDIA/nccl/issues/1267 (its log); eugr/spark-vllm-docker#252",
        rule="ib-disabled",
        of_fabric=True,
    ),
    Signature(
        "little-free-memory",
        r"Free memory on device .* is less than (desired GPU memory|the engine's budget)",
        "less memory is free on the node than the engine is told to take",
        "gpuMemoryUtilization: lower it, or end what else uses the memory",
        "vllm/v1/worker/utils.py (0.32.0)",
        rule="vllm-util",
        engines=(VLLM,),
    ),
    Signature(
        "no-room-for-cache",
        r"No available memory for the cache blocks|To serve at least one request with the model's",
        "the weights leave too little memory for the KV cache",
        "maxSeqLen: lower it, or raise gpuMemoryUtilization; `sparkform fit MODEL` has the sizes",
        "vllm/v1/core/kv_cache_utils.py (0.32.0)",
        rule="mem-fit",
        engines=(VLLM,),
    ),
    Signature(
        "out-of-memory",
        _NO_TUNER + _MEMORY,
        "the engine is out of memory",
        "`sparkform fit MODEL` has the sizes: lower maxSeqLen, maxBatchSize or the memory share",
        "torch.OutOfMemoryError; tensorrt_llm/_torch/pyexecutor/py_executor_creator.py",
        rule="mem-fit",
    ),
    Signature(
        "address-in-use",
        r"\[Errno 98\]|Bind to port \d+ on \S+ failed",
        "a port that the engine needs is taken",
        "`sudo ss -ltnp` on the node names who has it; or give the service another port",
        "Python's OSError for EADDRINUSE; uvicorn server.py; OpenSSH sshd.c",
        rule="ports",
    ),
    Signature(
        "address-in-use",
        r"EADDRINUSE",
        "a port that the ranks need is taken",
        "`sudo ss -ltnp` on the node names who has it",
        "torch TCPStore; vllm/config/parallel.py retries with another port (0.32.0)",
        rule="ports",
        final=False,
    ),
    Signature(
        "gated-model",
        r"Cannot access gated repo for url|GatedRepoError|Access to model \S+ is restricted",
        "the model asks for a licence that this token has not accepted",
        "accept it on the model's page, then `pulumi config set --secret hfToken`",
        "huggingface_hub/errors.py and utils/_http.py",
        rule="gated-token",
    ),
    Signature(
        "model-not-there",
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|outgoing traffic has been disabled",
        "a file of the model is not on the node, and engines fetch nothing",
        "`pulumi up` fetches what is missing; `sparkform models STACK.yaml` lists what is there",
        "huggingface_hub/errors.py",
        rule="model-staged",
        final=False,
    ),
    Signature(
        "unknown-option",
        r"error: unrecognized arguments|No such option|error: argument .*invalid",
        "the engine of this image does not know an option",
        "take it out of extraArgs, or use an image that knows it",
        "Python argparse; click",
        rule="unseen-settings",
        final=False,
    ),
    Signature(
        "unknown-key",
        r"Extra inputs are not permitted",
        "the engine of this image does not know a key of its file",
        "use an image that knows it; `sparkform check` compares keys by version",
        "pydantic extra=forbid; tensorrt_llm/llmapi/llm_args.py",
        rule="trt-yaml-keys",
        engines=(TRTLLM,),
        final=False,
    ),
    Signature(
        "dead-rank",
        r"(mpirun|prterun|orterun|mpiexec) noticed that process rank \d+"
        r"|(ORTE|PRTE) has lost communication|Worker proc \S+ died unexpectedly",
        "a rank has died, and the others cannot go on without it",
        "look for its own words above, or in the kept log of its node",
        "Open MPI and PRRTE (help texts); vllm/v1/executor/multiproc_executor.py (0.32.0)",
    ),
    Signature(
        "launch-refused",
        r"sparkform: \S+ refuses the launch",
        "a worker does not accept the launch key of this service",
        "`pulumi up` makes the keys anew",
        "sparkform/launch/scripts.py",
        engines=(TRTLLM,),
        final=False,
    ),
)


def list_for(engine: str, over_rdma: bool) -> tuple[Signature, ...]:
    """The rows that count for one service."""
    return tuple(
        signature
        for signature in SIGNATURES
        if engine in signature.engines and (over_rdma or not signature.of_fabric)
    )


def find_first(rows: Iterable[Signature], line: str) -> Signature | None:
    return next((signature for signature in rows if signature.matches(line)), None)
