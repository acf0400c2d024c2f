"""The transfer losses written out in numpy, slowly and in float64, from their papers."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def entropies(p: Floats) -> Floats:
    return np.array([-sum(x * np.log(x) for x in row if x > 0) for row in p])


def _distance(a: Floats, b: Floats) -> float:
    return float(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def base_bandwidth(rows: Floats, rule: str = "mean") -> float:
    pairs = [
        _distance(rows[i], rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j
    ]
    if rule == "mean":
        return float(np.mean(pairs))
    # Of the two middle ones torch takes the lower; each pair stands in the list twice.
    return float(np.sort(pairs)[(len(pairs) // 2 - 1) // 2 * 2])


def multi_kernel(a: Floats, b: Floats, base: float, kernels: int = 5, factor: float = 2.0) -> float:
    first = -(kernels // 2)
    return float(
        sum(np.exp(-_distance(a, b) / (factor**i * base)) for i in range(first, first + kernels))
    )


def mmd(kernel: Floats, n: int, *, unbiased: bool = False) -> float:
    """The discrepancy of a kernel matrix, pair by pair."""
    m = len(kernel)
    within = [0.0, 0.0]
    for side, members in enumerate((range(n), range(n, m))):
        pairs = [(i, j) for i in members for j in members if not (unbiased and i == j)]
        within[side] = sum(kernel[i, j] for i, j in pairs) / len(pairs)
    between = sum(kernel[i, j] for i in range(n) for j in range(n, m)) / (n * (m - n))
    return float(within[0] + within[1] - 2 * between)


def mk_mmd(
    hs: Floats, ht: Floats, *, rule: str = "mean", unbiased: bool = False, kernels: int = 5
) -> float:
    rows = np.concatenate([hs, ht])
    base = base_bandwidth(rows, rule)
    kernel = np.array([[multi_kernel(a, b, base, kernels) for b in rows] for a in rows])
    return mmd(kernel, len(hs), unbiased=unbiased)


def jmmd(hs: Floats, zs: Floats, ht: Floats, zt: Floats, width: float = 1.68) -> float:
    rows, p = np.concatenate([hs, ht]), softmax(np.concatenate([zs, zt]))
    base = base_bandwidth(rows)
    kernel = np.empty((len(rows), len(rows)))
    for i in range(len(rows)):
        for j in range(len(rows)):
            features = multi_kernel(rows[i], rows[j], base)
            kernel[i, j] = features * np.exp(-_distance(p[i], p[j]) / width)
    return mmd(kernel, len(hs))


def coral(hs: Floats, ht: Floats) -> float:
    difference = np.cov(hs.T) - np.cov(ht.T)
    return float((difference**2).sum() / (4 * hs.shape[1] ** 2))


def mcc(z: Floats, temperature: float = 2.5) -> float:
    y = softmax(z / temperature)
    weights = 1 + np.exp(-entropies(y))
    weights *= len(y) / weights.sum()
    classes = y.shape[1]
    confusion = np.zeros((classes, classes))
    for row, weight in zip(y, weights, strict=True):
        confusion += weight * np.outer(row, row)
    confusion /= confusion.sum(1, keepdims=True)
    return float((confusion.sum() - np.trace(confusion)) / classes)


def shot(z: Floats, pseudo: NDArray[np.int64], beta: float = 0.3) -> float:
    p = softmax(z)
    spread = entropies(p).mean() - entropies(p.mean(0, keepdims=True))[0]
    return float(spread - beta * np.mean([np.log(p[i, k]) for i, k in enumerate(pseudo)]))


def pseudo_labels(h: Floats, z: Floats) -> NDArray[np.int64]:
    unit = np.array([row / np.linalg.norm(row) for row in h])
    shares = softmax(z)
    labels = np.empty(len(h), dtype=np.int64)
    for _ in range(2):
        centroids = {
            k: shares[:, k] @ unit / np.linalg.norm(shares[:, k] @ unit)
            for k in range(z.shape[1])
            if shares[:, k].any()
        }
        for i, row in enumerate(unit):
            labels[i] = max(centroids, key=lambda k: float(row @ centroids[k]))
        shares = np.eye(z.shape[1])[labels]
    return labels


def mlp(x: Floats, layers: list[tuple[Floats, Floats]]) -> Floats:
    """Logits of a perceptron with ReLUs, layer by layer."""
    for number, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        if number < len(layers) - 1:
            x = np.maximum(x, 0)
    return x[:, 0]


def domain_loss(logits: Floats, n: int, weights: Floats | None = None) -> float:
    weights = np.ones(len(logits)) if weights is None else weights
    share = 1 / (1 + np.exp(-logits))
    source = -sum(w * np.log(s) for w, s in zip(weights[:n], share[:n], strict=True))
    target = -sum(w * np.log(1 - s) for w, s in zip(weights[n:], share[n:], strict=True))
    return float((source / weights[:n].sum() + target / weights[n:].sum()) / 2)


def dann(hs: Floats, ht: Floats, layers: list[tuple[Floats, Floats]]) -> float:
    return domain_loss(mlp(np.concatenate([hs, ht]), layers), len(hs))


def cdan(
    hs: Floats,
    zs: Floats,
    ht: Floats,
    zt: Floats,
    layers: list[tuple[Floats, Floats]],
    *,
    entropy_weighting: bool = True,
) -> float:
    p = softmax(np.concatenate([zs, zt]))
    products = np.array(
        [np.outer(h, q).ravel() for h, q in zip(np.concatenate([hs, ht]), p, strict=True)]
    )
    weights = 1 + np.exp(-entropies(p)) if entropy_weighting else None
    return domain_loss(mlp(products, layers), len(hs), weights)
