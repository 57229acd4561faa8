"""A program that prints TensorFlow's and Keras's versions and devices as a line of JSON.

It runs in a process of its own, which a broken TensorFlow can end, and imports nothing of tfcourse.
"""

import json
from typing import Any

__all__ = ["find"]


def find() -> dict[str, Any]:
    """Return the versions, the settings of Keras and the devices."""
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    devices = []
    for device in tf.config.list_physical_devices():
        is_gpu = device.device_type == "GPU"
        details = tf.config.experimental.get_device_details(device) if is_gpu else {}
        name = details.get("device_name")
        devices.append({"name": device.name.partition("device:")[2], "model": name})
    import keras

    return {
        "tensorflow": tf.__version__,
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "floatx": keras.backend.floatx(),
        "image_data_format": keras.backend.image_data_format(),
        "devices": devices,
    }


if __name__ == "__main__":
    print(json.dumps(find()))
