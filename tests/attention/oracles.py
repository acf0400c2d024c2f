"""Every block once more, in plain numpy float64, straight from its equation.

Each function takes the map ``x`` (batch, channels, length), the block's parameters and buffers by
name, and its options, and gives the block's output. ``norm`` says how a BatchNorm normalises.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]
Norm = Callable[[Array, str, Parameters], Array]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def relu(x: Array) -> Array:
    return np.where(x > 0, x, 0)


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def linear(x: Array, name: str, p: Parameters) -> Array:
    """The map ``x W^T + b`` over the last axis; the bias is optional."""
    return np.asarray(x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0))


def conv(x: Array, w: Array, *, dilation: int = 1, groups: int = 1) -> Array:
    """Convolution that keeps the length; `w` is (outputs, inputs / groups, k)."""
    length, (outputs, fan, size) = x.shape[-1], w.shape
    reach = dilation * (size // 2)
    padded = np.pad(x, ((0, 0), (0, 0), (reach, reach)))
    y = np.zeros((len(x), outputs, length))
    for o in range(outputs):
        first = o // (outputs // groups) * fan
        for tap in range(size):
            seen = padded[:, first : first + fan, tap * dilation : tap * dilation + length]
            y[:, o] += np.einsum("bil,i->bl", seen, w[o, :, tap])
    return y


def conv_plane(x: Array, w: Array) -> Array:
    """2-D convolution of (batch, planes, rows, columns) with (planes, k, k), same size."""
    half = w.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)))
    rows, columns = x.shape[2:]
    y = np.zeros((len(x), rows, columns))
    for i in range(w.shape[1]):
        for j in range(w.shape[2]):
            seen = padded[:, :, i : i + rows, j : j + columns]
            y += np.einsum("bprc,p->brc", seen, w[:, i, j])
    return y


def norm_eval(x: Array, name: str, p: Parameters) -> Array:
    """BatchNorm with running statistics."""
    return _affine(x, name, p, p[f"{name}.running_mean"], p[f"{name}.running_var"])


def norm_train(x: Array, name: str, p: Parameters) -> Array:
    """BatchNorm with the batch's own mean and biased variance."""
    axes = tuple(i for i in range(x.ndim) if i != 1)
    return _affine(x, name, p, x.mean(axes), x.var(axes))


def _affine(x: Array, name: str, p: Parameters, mean: Array, variance: Array) -> Array:
    def by_channel(v: Array) -> Array:
        return v.reshape(1, -1, *[1] * (x.ndim - 2))

    scaled = (x - by_channel(mean)) / np.sqrt(by_channel(variance) + 1e-5)
    return scaled * by_channel(p[f"{name}.weight"]) + by_channel(p[f"{name}.bias"])


def across(s: Array, w: Array) -> Array:
    """One-to-one convolution over a sequence of channel descriptors (batch, channels)."""
    return conv(s[:, None], w)[:, 0]


def none(x: Array, p: Parameters, norm: Norm) -> Array:
    return x


def se(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    gate = sigmoid(linear(relu(linear(x.mean(-1), "squeeze", p)), "excite", p))
    return x * gate[:, :, None]


def eca(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    return x * sigmoid(across(x.mean(-1), p["conv.weight"]) + p.get("conv.bias", 0))[:, :, None]


def _mlp(s: Array, name: str, p: Parameters) -> Array:
    return linear(relu(linear(s, f"{name}.0", p)), f"{name}.2", p)


def _cbam(x: Array, p: Parameters, norm: Norm | None, mean_first: bool) -> Array:
    gate = _mlp(x.mean(-1), "channel.mlp", p) + _mlp(x.max(-1), "channel.mlp", p)
    z = x * sigmoid(gate)[:, :, None]
    planes = [z.max(1), z.mean(1)]
    spatial = conv(np.stack(planes[::-1] if mean_first else planes, 1), p["spatial.conv.weight"])
    spatial = spatial + p.get("spatial.conv.bias", 0)
    return z * sigmoid(spatial if norm is None else norm(spatial, "spatial.norm", p))


def cbam(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    return _cbam(x, p, norm, mean_first=False)


def cbam_nobn(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    return _cbam(x, p, None, mean_first=False)


def cbam_r8(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    return _cbam(x, p, None, mean_first=True)


def channel_product(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    gate = sigmoid(_mlp(x.mean(-1), "mlp", p)) * sigmoid(_mlp(x.max(-1), "mlp", p))
    return x * gate[:, :, None]


def ca(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    joined = np.concatenate((x.mean(-1, keepdims=True), x), -1)
    h = norm(conv(joined, p["squeeze.weight"]) + p["squeeze.bias"][:, None], "norm", p)
    h = h * np.clip(h + 3, 0, 6) / 6
    by_channel = linear(h[:, :, 0], "channel", p)[:, :, None]
    by_position = conv(h[:, :, 1:], p["position.weight"]) + p["position.bias"][:, None]
    return x * sigmoid(by_position) * sigmoid(by_channel)


def multi_kernel_eca(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    s = x.mean(-1)
    mix = softmax(linear(s, "mix", p), -1)
    total = sum(mix[:, [i]] * across(s, p[f"convs.{i}.weight"]) for i in range(mix.shape[1]))
    return x * sigmoid(np.asarray(total))[:, :, None]


def bi_eca(
    x: Array, p: Parameters, norm: Norm, *, double_sigmoid: bool = False, **_: object
) -> Array:
    s = x.mean(-1)
    ahead = across(s, p["forward_conv.weight"])
    back = across(s[:, ::-1], p["backward_conv.weight"])[:, ::-1]
    if double_sigmoid:
        ahead, back = sigmoid(ahead), sigmoid(back)
    mix = softmax(_mlp(s, "mix", p), -1)
    return x * sigmoid(mix[:, [0]] * ahead + mix[:, [1]] * back)[:, :, None]


def triplet(x: Array, p: Parameters, norm: Norm, **_: object) -> Array:
    plane = conv_plane(np.stack((x, x), 1), p["plane.weight"][0])
    gates = sigmoid(norm(plane[:, None], "plane_norm", p))[:, 0]
    for name, axis in (("channel", 2), ("position", 1)):
        pooled = np.stack((x.max(axis), x.mean(axis)), 1)
        z = sigmoid(norm(conv(pooled, p[f"{name}.conv.weight"]), f"{name}.norm", p))[:, 0]
        gates = gates + np.expand_dims(z, axis)
    return x * gates / 3


def emca(
    x: Array, p: Parameters, norm: Norm, *, previous: Sequence[Array] = (), **_: object
) -> Array:
    q = x.mean(-1)
    gate = sigmoid(across(q, p["local.weight"]))
    if previous:
        rows = [np.tile(d, (1, q.shape[1] // d.shape[1])) for d in previous] + [q]
        mixed = relu(np.stack(rows, -1) @ p["aggregate.weight"][0])
        both = np.stack((gate, sigmoid(across(mixed, p["across.weight"]))), -1)
        gate = sigmoid(both @ p["fuse.weight"][0])
    return x * gate[:, :, None]


def psa(
    x: Array,
    p: Parameters,
    norm: Norm,
    *,
    kernel_sizes: Sequence[int] = (3, 5, 7, 9),
    groups: Sequence[int] = (1, 4, 8, 16),
    **_: object,
) -> Array:
    part = x.shape[1] // len(kernel_sizes)
    us = [
        conv(x, p[f"convs.{i}.weight"], groups=int(np.gcd(g, part))) for i, g in enumerate(groups)
    ]
    single = [sigmoid(linear(relu(linear(u.mean(-1), "squeeze", p)), "excite", p)) for u in us]
    weights = softmax(np.stack(single), 0)
    return np.concatenate([u * w[:, :, None] for u, w in zip(us, weights, strict=True)], 1)


def sk(
    x: Array,
    p: Parameters,
    norm: Norm,
    *,
    dilations: Sequence[int] = (1, 2),
    groups: int = 1,
    **_: object,
) -> Array:
    us = []
    for i, dilation in enumerate(dilations):
        u = conv(x, p[f"branches.{i}.0.weight"], dilation=dilation, groups=groups)
        us.append(relu(norm(u, f"branches.{i}.1", p)))
    u = np.stack(us)
    z = relu(norm(linear(u.sum(0).mean(-1), "squeeze", p), "norm", p))
    logits = linear(z, "select", p).reshape(len(x), len(us), -1)  # (B, M, C)
    weights = softmax(logits, 1).transpose(1, 0, 2)
    return np.asarray((u * weights[:, :, :, None]).sum(0))


def attend(tokens: Array, name: str, p: Parameters, heads: int, causal: bool = False) -> Array:
    """Multi-head attention of (batch, tokens, features), one head and one query at a time."""
    width = tokens.shape[-1] // heads
    q, k, v = np.split(linear(tokens, f"{name}.qkv", p), 3, axis=-1)
    mixed = np.zeros_like(tokens)
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        for t in range(tokens.shape[1]):
            seen = slice(0, t + 1 if causal else None)
            scores = np.einsum("bd,bsd->bs", q[:, t, part], k[:, seen, part]) / np.sqrt(width)
            mixed[:, t, part] = np.einsum("bs,bsd->bd", softmax(scores, -1), v[:, seen, part])
    return linear(mixed, f"{name}.out", p)


def self_attention(
    x: Array,
    p: Parameters,
    norm: Norm,
    *,
    heads: int = 4,
    position: str = "none",
    mask: str = "none",
    **_: object,
) -> Array:
    tokens = x.transpose(0, 2, 1).copy()
    if position == "sinusoidal":
        for i in range(x.shape[1]):
            angle = np.arange(x.shape[2]) / 10000 ** (2 * (i // 2) / x.shape[1])
            tokens[:, :, i] += np.cos(angle) if i % 2 else np.sin(angle)
    return attend(tokens, "attention", p, heads, mask == "causal").transpose(0, 2, 1)


def axial(
    x: Array,
    p: Parameters,
    norm: Norm,
    *,
    heads: int = 4,
    fold: int | None = None,
    **_: object,
) -> Array:
    length = x.shape[2]
    if fold is None:
        divisors = [d for d in range(1, length + 1) if length % d == 0]
        fold = min(divisors, key=lambda d: abs(d - length**0.5))
    y = np.zeros_like(x)
    for row in range(length // fold):
        at = slice(row * fold, (row + 1) * fold)
        y[:, :, at] += attend(x[:, :, at].transpose(0, 2, 1), "rows", p, heads).transpose(0, 2, 1)
    for column in range(fold):
        at = slice(column, None, fold)
        seen = x[:, :, at].transpose(0, 2, 1)
        y[:, :, at] += attend(seen, "columns", p, heads).transpose(0, 2, 1)
    return y


ORACLES: dict[str, Callable[..., Array]] = {
    f.__name__: f
    for f in (
        none, se, eca, cbam, cbam_nobn, cbam_r8, channel_product, ca, multi_kernel_eca, bi_eca,
        triplet, emca, psa, sk, self_attention, axial,
    )
}  # fmt: skip
