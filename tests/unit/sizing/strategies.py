"""Random shapes for property tests: attention of every kind, with and without experts."""

from __future__ import annotations

from hypothesis import strategies as st

from sparkform.models.quantisation import METHODS, plan_quantisation
from sparkform.models.shape import Block, FeedForward, Mixer, ModelShape

METHOD_NAMES = ("bf16", "fp8", "int8", "int4", "nvfp4", "mxfp4")

attention = st.builds(
    lambda groups, repeats, head_dim, window, strided: Mixer(
        kind="attention",
        parameters=groups * repeats * head_dim * 512,
        heads=groups * repeats,
        kv_heads=groups,
        kv_parameters=groups * head_dim * 512,
        kv_elements=2 * groups * head_dim,
        window_tokens=window,
        stride_tokens=strided if window else 1,
    ),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 4, 8]),
    st.sampled_from([64, 128]),
    st.sampled_from([0, 128, 4096]),
    st.sampled_from([0, 4]),
)
latent = st.builds(
    lambda heads: Mixer(
        kind="latent",
        parameters=heads * 2**16,
        heads=heads,
        kv_heads=1,
        kv_parameters=2**16,
        kv_elements=576,
    ),
    st.sampled_from([8, 64, 128]),
)
state = st.builds(
    lambda heads: Mixer(
        kind="state",
        parameters=heads * 2**16,
        heads=heads,
        kv_heads=8,
        state_bytes=heads * 2**14,
        stride_tokens=0,
    ),
    st.sampled_from([8, 32]),
)
dense = st.builds(lambda width: FeedForward(dense=width * 2**18), st.integers(1, 64))
experts = st.builds(
    lambda count, share, shared: FeedForward(
        expert=2**19,
        experts=count,
        experts_per_token=max(1, count // share),
        router=count * 512,
        shared=shared * 2**19,
    ),
    st.sampled_from([8, 32, 128]),
    st.sampled_from([2, 4, 16]),
    st.sampled_from([0, 1]),
)
blocks = st.builds(
    lambda mixer, part: Block(mixer=mixer, feed_forward=part, norm=1024),
    st.one_of(attention, latent, state),
    st.one_of(dense, experts),
)
shapes = st.builds(
    lambda kinds, repeats, tied: ModelShape(
        name="random",
        hidden_size=512,
        embedding=2**24,
        head=0 if tied else 2**24,
        vision=0,
        blocks=tuple(kinds) * repeats,
        max_position=2**17,
    ),
    st.lists(blocks, min_size=1, max_size=3),
    st.integers(3, 12),
    st.booleans(),
)
methods = st.sampled_from(METHOD_NAMES)
quantisations = st.builds(
    lambda name, mixture: plan_quantisation(METHODS[name], mixture=mixture), methods, st.booleans()
)
