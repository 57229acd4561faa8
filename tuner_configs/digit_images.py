"""scikit-learn's digits as images in folders, one folder for each digit; no download."""

import tempfile
from pathlib import Path

import numpy as np


def folder() -> Path:
    """Return a folder with the 1797 digits as PNG files, which the first call writes.

    It is in the system's folder for temporary files. For a data set on the web such a function can
    be ``return keras.utils.get_file(origin=..., extract=True)``.
    """
    import tensorflow as tf
    from sklearn.datasets import load_digits

    root = Path(tempfile.gettempdir()) / "tfcourse_digit_images"
    if root.is_dir():
        return root
    images, labels = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as temporary:
        whole = Path(temporary) / "digits"
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            pixels = np.round(image.reshape(8, 8, 1) * (255 / 16)).astype(np.uint8)
            file = whole / str(label) / f"{number:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(tf.io.encode_png(pixels).numpy())
        try:
            whole.rename(root)  # at once: another process sees all files or none
        except OSError:
            if not root.is_dir():
                raise
    return root
