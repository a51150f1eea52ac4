"""The GPUs that TensorFlow can use."""

from typing import Any

import tensorflow as tf


def gpus() -> dict[str, Any]:
    """Return their names."""
    return {"gpus": gpu_names()}


def gpu_names() -> list[str]:
    """Return the names of the GPUs that TensorFlow can use."""
    devices = tf.config.list_physical_devices("GPU")
    return [str(tf.config.experimental.get_device_details(each).get("device_name", "GPU")) for each in devices]
