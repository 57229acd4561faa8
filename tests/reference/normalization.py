"""Batch normalization (course section 2)."""

import numpy as np


def moments(z, axes, mask=None):
    """Mean and biased variance over ``axes``, of the entries where ``mask`` is true."""
    z = np.asarray(z, np.float64)
    where = True if mask is None else np.broadcast_to(mask, z.shape)
    mean = z.mean(axes, keepdims=True, where=where)
    variance = ((z - mean) ** 2).mean(axes, where=where)
    return mean.squeeze(axes), variance


def batch_norm(z, gamma=1.0, beta=0.0, epsilon=1e-3):
    """``z̃ = γ (z-μ)/sqrt(σ²+ε) + β`` with the features on the last axis."""
    mean, variance = moments(z, tuple(range(np.ndim(z) - 1)))
    return gamma * (z - mean) / np.sqrt(variance + epsilon) + beta


def batch_renorm_step(
    z, upstream, averages, gamma=1.0, beta=0.0, epsilon=1e-3, limits=(0, 1e9, 1e9)
):
    """Algorithm 1 of Ioffe 2017 and its gradients, which hold r and d constant.

    Args:
        z: The batch, features on the last axis.
        upstream: The gradient of the output.
        averages: μ and σ, which the batch is corrected towards.
        gamma: γ.
        beta: β.
        epsilon: ε.
        limits: Of r from below and above, and of the absolute d.

    Returns:
        The output, the gradients of z, γ and β, and the batch's μ_B and σ_B.
    """
    shape = np.shape(z)
    z, upstream = (np.asarray(a, np.float64).reshape(-1, shape[-1]) for a in (z, upstream))
    mean, stddev = z.mean(0), np.sqrt(z.var(0) + epsilon)
    r = np.clip(stddev / averages[1], *limits[:2])
    d = np.clip((mean - averages[0]) / averages[1], -limits[2], limits[2])
    corrected = (z - mean) / stddev * r + d
    to_corrected = upstream * gamma
    to_stddev = (to_corrected * (z - mean) * -r / stddev**2).sum(0)
    to_mean = (to_corrected * -r / stddev).sum(0)
    to_z = to_corrected * r / stddev + to_stddev * (z - mean) / (len(z) * stddev) + to_mean / len(z)
    gradients = to_z.reshape(shape), (upstream * corrected).sum(0), upstream.sum(0)
    return (gamma * corrected + beta).reshape(shape), gradients, mean, stddev


def ghost_batches(m, size):
    """The rows of each virtual batch: as many as fit, of lengths that differ by one at most."""
    return np.array_split(np.arange(m), max(m // size, 1))


def ghost_batch_norm_step(z, upstream, size, gamma=1.0, beta=0.0, epsilon=1e-3, mask=None):
    """Ghost batch norm of Hoffer et al. 2017 and its gradients, features on the last axis.

    Returns:
        The output, the gradients of z, γ and β, and the means over all positions of the virtual
        batches' μ and σ².
    """
    z, upstream = np.asarray(z, np.float64), np.asarray(upstream, np.float64)
    mask = np.ones(z.shape[:-1], bool) if mask is None else mask
    outputs, to_z, means, variances, counts = np.empty_like(z), np.empty_like(z), [], [], []
    to_gamma = np.zeros(z.shape[-1])
    for rows in ghost_batches(len(z), size):
        part, above, valid = z[rows], upstream[rows], mask[rows]
        mean, variance = (part[valid].mean(0), part[valid].var(0)) if valid.any() else (0, 0)
        stddev = np.sqrt(variance + epsilon)
        normalized = (part - mean) / stddev
        outputs[rows] = gamma * normalized + beta
        to_gamma += (above * normalized).reshape(-1, z.shape[-1]).sum(0)
        # All positions use μ and σ²; only the valid ones are part of them.
        to_normalized = (above * gamma).reshape(-1, z.shape[-1])
        flat = normalized.reshape(-1, z.shape[-1])
        n = max(valid.sum(), 1)
        shared = to_normalized.sum(0) + normalized * (to_normalized * flat).sum(0)
        to_z[rows] = (above * gamma - np.where(valid[..., None], shared / n, 0)) / stddev
        means.append(mean * np.ones(z.shape[-1]))
        variances.append(variance * np.ones(z.shape[-1]))
        counts.append(valid.sum())
    shares = np.array(counts)[:, None] / max(sum(counts), 1)
    gradients = to_z, to_gamma, upstream.reshape(-1, z.shape[-1]).sum(0)
    return outputs, gradients, (shares * means).sum(0), (shares * variances).sum(0)
