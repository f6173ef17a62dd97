"""How a model is cut over nodes: pipeline stages, tensor ranks, and which cuts are allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sparkform.errors import InputError, Problem
from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import Block, Mixer, ModelShape

BITS_A_BYTE = 8


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Tensor and pipeline parallelism. A Spark has one GPU, so their product is the node count."""

    tensor_parallel: int
    pipeline_parallel: int

    @property
    def nodes(self) -> int:
        """How many nodes one copy of the model takes."""
        return self.tensor_parallel * self.pipeline_parallel


def compute_stage_lengths(blocks: int, stages: int) -> list[int]:
    """Blocks a stage as vLLM cuts them: what does not divide goes to the stages before the last."""
    lengths = [blocks // stages] * stages
    for position in range(blocks % stages):
        lengths[-2 - position] += 1
    return lengths


def split_stages(shape: ModelShape, pipeline_parallel: int) -> list[Sequence[Block]]:
    """The blocks of each pipeline stage, in order."""
    lengths = compute_stage_lengths(len(shape.blocks), pipeline_parallel)
    ends = list(accumulate(lengths))
    return [shape.blocks[end - length : end] for length, end in zip(lengths, ends, strict=True)]


def allows_tensor_parallel(shape: ModelShape, ranks: int) -> bool:
    """Whether every mixer's heads can be dealt to `ranks` (engines check this at start)."""
    mixers = {block.mixer for block in shape.blocks if block.mixer}
    return all(_can_divide(mixer, ranks) for mixer in mixers)


def _can_divide(mixer: Mixer, ranks: int) -> bool:
    if mixer.heads % ranks:
        return False
    if mixer.kind == "attention":
        return mixer.kv_heads % ranks == 0 or ranks % mixer.kv_heads == 0
    return True


def list_cuts(shape: ModelShape, nodes: int) -> list[Cut]:
    """All cuts of the model over exactly `nodes` nodes, most tensor parallelism first."""
    return [
        Cut(tensor_parallel=ranks, pipeline_parallel=nodes // ranks)
        for ranks in range(nodes, 0, -1)
        if nodes % ranks == 0
        and allows_tensor_parallel(shape, ranks)
        and nodes // ranks <= len(shape.blocks)
    ]


def choose_cut(
    shape: ModelShape, nodes: int, tensor_parallel: int | None, pipeline_parallel: int | None
) -> tuple[Cut, int]:
    """The cut that a user asked for and how many replicas of it the nodes hold.

    Without either number it is the cut with the most tensor parallelism over all nodes. Raises
    InputError where the numbers do not go into the nodes, the heads or the layers.
    """
    requested = [count for count in (tensor_parallel, pipeline_parallel) if count is not None]
    if min(nodes, *requested, 1) < 1:
        raise InputError([Problem(path="--nodes, --tp, --pp", message="must be at least 1")])
    if tensor_parallel is None and pipeline_parallel is None:
        possible = list_cuts(shape, nodes)
        if not possible:
            raise InputError([_build_no_cut_problem(shape, nodes)])
        return possible[0], 1
    cut = Cut(tensor_parallel=tensor_parallel or 1, pipeline_parallel=pipeline_parallel or 1)
    problems = _list_cut_problems(shape, cut, nodes)
    if problems:
        raise InputError(problems)
    return cut, nodes // cut.nodes


def _build_no_cut_problem(shape: ModelShape, nodes: int) -> Problem:
    return Problem(
        path="--nodes",
        message=f"{len(shape.blocks)} layers cannot be cut over so many nodes",
        got=str(nodes),
    )


def _list_cut_problems(shape: ModelShape, cut: Cut, nodes: int) -> list[Problem]:
    problems = []
    if nodes % cut.nodes:
        problems.append(
            Problem(
                path="--tp, --pp",
                message="do not go into the nodes",
                got=f"{cut.tensor_parallel} x {cut.pipeline_parallel} on {nodes}",
                because="each Spark has one GPU",
            )
        )
    if not allows_tensor_parallel(shape, cut.tensor_parallel):
        valid = [str(ranks) for ranks in range(1, 9) if allows_tensor_parallel(shape, ranks)]
        problems.append(
            Problem(
                path="--tp",
                message="does not divide the model's heads",
                got=str(cut.tensor_parallel),
                allowed=", ".join(valid),
            )
        )
    if cut.pipeline_parallel > len(shape.blocks):
        problems.append(_build_no_cut_problem(shape, cut.pipeline_parallel))
    return problems


def compute_weights_bytes(shape: ModelShape, quantisation: Quantisation, cut: Cut) -> float:
    """Bytes of weights on the fullest node."""
    return max(compute_stage_weights_bytes(shape, quantisation, cut))


def compute_stage_weights_bytes(
    shape: ModelShape, quantisation: Quantisation, cut: Cut
) -> list[float]:
    """Bytes of weights on one node of each pipeline stage.

    Norms, routers and the vision tower lie whole on each rank; keys and values are copied once the
    ranks outnumber the KV heads; tied embeddings lie on the first and the last stage.
    """
    ranks = cut.tensor_parallel
    embedding_bytes = quantisation.get_bits("embedding") / BITS_A_BYTE
    sizes = [
        sum(
            count * _compute_block_bytes(block, quantisation, ranks)
            for block, count in Counter(blocks).items()
        )
        for blocks in split_stages(shape, cut.pipeline_parallel)
    ]
    sizes[0] += shape.embedding * embedding_bytes / ranks
    sizes[0] += shape.vision * quantisation.get_bits("vision") / BITS_A_BYTE
    last_head = shape.head or (shape.embedding if cut.pipeline_parallel > 1 else 0)
    sizes[-1] += last_head * quantisation.get_bits("head") / BITS_A_BYTE / ranks
    return sizes


def _compute_block_bytes(block: Block, quantisation: Quantisation, ranks: int) -> float:
    bits = 0.0
    for role, parameters in block.count_parameters_by_role().items():
        copies = ranks if role in ("norm", "router") else 1
        bits += parameters * copies * quantisation.get_bits(role)
    if block.mixer and block.mixer.kind != "state":
        extra = block.mixer.kv_parameters * (ranks / min(ranks, block.mixer.kv_heads) - 1)
        bits += extra * quantisation.get_bits("attention")
    return bits / BITS_A_BYTE / ranks
