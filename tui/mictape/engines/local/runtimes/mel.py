"""Mel filters, as NeMo and Whisper use them."""

import numpy as np

from mictape.vad.onnx import Array


def mel_filters(bands: int, size: int, rate: int) -> Array:
    """Triangular filters on Slaney's mel scale, each with the same area: shape (bands, size // 2 + 1), float32.

    The scale is linear below 1 kHz, 200/3 Hz a mel, and logarithmic above it, a factor of 6.4 in 27 mel (Slaney,
    Auditory Toolbox, 1998).

    Args:
        bands: How many, from 0 Hz to half the rate.
        size: Samples of the Fourier transform.
        rate: Samples a second.
    """
    step, knee, factor = 200 / 3, 1000.0, np.log(6.4) / 27
    top = knee / step + np.log(rate / 2 / knee) / factor
    mels: Array = np.linspace(0.0, float(top), bands + 2)
    edges: Array = np.where(mels < knee / step, step * mels, knee * np.exp(factor * (mels - knee / step)))
    bins = np.linspace(0, rate / 2, size // 2 + 1)
    widths: Array = np.diff(edges)[:, None]
    rising: Array = (bins - edges[:-2, None]) / widths[:-1]
    falling: Array = (edges[2:, None] - bins) / widths[1:]
    area: Array = 2 / (edges[2:] - edges[:-2])[:, None]
    filters: Array = np.maximum(0, np.minimum(rising, falling)) * area
    return filters.astype(np.float32)
