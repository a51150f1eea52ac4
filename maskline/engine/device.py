"""What TensorFlow runs on: a GPU that it can use, or this process's cores."""

import ctypes
import importlib.util
from typing import NamedTuple

from maskline.engine.allocator import keep_freed_memory
from maskline.engine.cores import cores
from maskline.errors import InputError

_DRIVER = "libcuda.so.1"
_LIBRARIES = "nvidia.cudnn"  # a package that requirements-gpu.txt adds


class Gpu(NamedTuple):
    """A GPU that NVIDIA's driver offers to this process; its memory in bytes."""

    name: str
    memory: int

    def __str__(self) -> str:
        """Return name and memory."""
        return f"{self.name}, {self.memory / 2**30:.0f} GiB"


def choose_device(number: int = 0, count: int = 1) -> str:
    """Leave to TensorFlow one GPU that it can use, or prepare the CPU; return what it runs on, in words.

    The words also say why TensorFlow cannot use a GPU that is there. Call it before TensorFlow's first operation.

    Args:
        number: of the processes that share this host, this one's number, from 0 on: it takes the GPU of this number.
        count: the number of these processes.

    Raises:
        InputError: there are GPUs, but fewer than processes.
    """
    import tensorflow as tf

    usable = tf.config.list_physical_devices("GPU")
    gpus = driver_gpus()
    if not usable:
        keep_freed_memory()
        return _cores() + _unused(gpus)
    if len(usable) < count:
        raise InputError(
            f"{count} workers on this host need a GPU each, but TensorFlow can use {len(usable)} here; lower "
            f"train.workers, or hide the GPUs with CUDA_VISIBLE_DEVICES=-1. Received: {count}"
        )
    tf.config.set_visible_devices(usable[number], "GPU")
    if len(gpus) == len(usable):
        name = str(gpus[number])
    else:  # TensorFlow leaves out old GPUs
        name = tf.config.experimental.get_device_details(usable[number]).get("device_name", "a GPU")
    return name if len(usable) == 1 else f"{name}, one of {len(usable)} GPUs"


def driver_gpus() -> list[Gpu]:
    """Return the GPUs that NVIDIA's driver offers to this process, in its order; none without a driver that works."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return []
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return [_gpu(driver, number) for number in range(count.value)]


def _gpu(driver: ctypes.CDLL, number: int) -> Gpu:
    device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    driver.cuDeviceGet(ctypes.byref(device), number)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Gpu(name.value.decode(errors="replace"), memory.value)


def _cores() -> str:
    return "1 CPU core" if cores() == 1 else f"{cores()} CPU cores"


def _unused(gpus: list[Gpu]) -> str:
    """Return why TensorFlow does not use the driver's GPUs, and the remedy; '' if there is none."""
    if not gpus:
        return ""
    if _has_libraries():
        remedy = "update NVIDIA's driver to one for CUDA 12.5 or later"
    else:
        remedy = "install requirements-gpu.txt with `make repro GPU=1`"
    return f"; TensorFlow cannot use the {gpus[0].name} here: {remedy}"


def _has_libraries() -> bool:
    """Return whether the packages of CUDA's libraries for TensorFlow are installed."""
    try:
        return importlib.util.find_spec(_LIBRARIES) is not None
    except ModuleNotFoundError:
        return False
