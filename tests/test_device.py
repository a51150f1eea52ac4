"""What TensorFlow runs on: cores, a GPU, or cores beside one that it cannot use. Driver and TensorFlow are fakes."""

import ctypes
import sys
import types

import pytest

from maskline.engine import device
from maskline.errors import InputError

H100 = device.Gpu("NVIDIA H100 80GB HBM3", 81559 << 20)
A10 = device.Gpu("NVIDIA A10", 23028 << 20)


class Driver:
    """The functions of NVIDIA's libcuda that are called, for some GPUs."""

    def __init__(self, gpus, error=0):
        self.gpus, self.cuInit = gpus, lambda flags: error

    def cuDeviceGetCount(self, count):
        count._obj.value = len(self.gpus)
        return 0

    def cuDeviceGet(self, handle, number):
        handle._obj.value = number
        return 0

    def cuDeviceGetName(self, name, length, handle):
        name.value = self.gpus[handle.value].name.encode()[: length - 1]
        return 0

    def cuDeviceTotalMem_v2(self, memory, handle):
        memory._obj.value = self.gpus[handle.value].memory
        return 0


@pytest.fixture
def machine(monkeypatch):
    """Return a function that sets what the driver and TensorFlow see, and returns what TensorFlow is left with."""

    def of(driver=(), usable=(), error=0, libraries=False):
        visible = []
        config = types.SimpleNamespace(
            list_physical_devices=lambda kind: list(usable),
            set_visible_devices=lambda gpu, kind: visible.append((gpu, kind)),
            experimental=types.SimpleNamespace(get_device_details=lambda gpu: {"device_name": gpu.name}),
        )
        monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))
        monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(driver, error))
        monkeypatch.setattr(device, "cores", lambda: 2)
        monkeypatch.setattr(device, "_has_libraries", lambda: libraries)
        return visible

    return of


def test_without_a_gpu_it_is_the_cores(machine, monkeypatch):
    machine()
    assert device.choose_device() == "2 CPU cores"
    monkeypatch.setattr(device, "cores", lambda: 1)
    assert device.choose_device() == "1 CPU core"


def test_a_gpu_is_named_with_its_memory(machine):
    visible = machine(driver=[H100], usable=[H100])
    assert device.choose_device() == "NVIDIA H100 80GB HBM3, 80 GiB"
    assert visible == [(H100, "GPU")]


def test_the_first_of_several_gpus_is_taken_alone(machine):
    visible = machine(driver=[A10, H100], usable=[A10, H100])
    assert device.choose_device() == "NVIDIA A10, 22 GiB, one of 2 GPUs"
    assert visible == [(A10, "GPU")]


def test_a_gpu_that_is_not_of_the_driver_has_the_name_that_tensorflow_gives(machine):
    machine(usable=[A10])
    assert device.choose_device() == "NVIDIA A10"


def test_a_gpu_that_tensorflow_leaves_out_is_not_named(machine):
    machine(driver=[A10, H100], usable=[H100])
    assert device.choose_device() == "NVIDIA H100 80GB HBM3"


def test_a_gpu_that_tensorflow_cannot_use_is_named_with_the_remedy(machine):
    visible = machine(driver=[H100])
    assert device.choose_device() == (
        "2 CPU cores; TensorFlow cannot use the NVIDIA H100 80GB HBM3 here: "
        "install requirements-gpu.txt with `make repro GPU=1`"
    )
    machine(driver=[H100], libraries=True)
    assert device.choose_device().endswith("here: update NVIDIA's driver to one for CUDA 12.5 or later")
    assert not visible


def test_a_driver_that_does_not_start_offers_no_gpu(machine):
    machine(driver=[H100], error=100)
    assert device.choose_device() == "2 CPU cores"


def test_no_driver_offers_no_gpu(monkeypatch):
    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert device.driver_gpus() == []


def test_workers_of_a_host_take_a_gpu_each_by_number(machine):
    visible = machine(driver=[H100, A10], usable=[H100, A10])
    words = [device.choose_device(number, 2) for number in range(2)]
    assert [gpu for gpu, _ in visible] == [H100, A10]
    assert words[1].startswith("NVIDIA A10, 22 GiB")


def test_fewer_gpus_than_workers_are_refused_and_none_is_fine(machine):
    machine(driver=[H100], usable=[H100])
    with pytest.raises(InputError, match=r"^2 workers on this host need a GPU each, but .* 1 here; .*Received: 2$"):
        device.choose_device(0, 2)
    machine()
    assert device.choose_device(1, 2) == "2 CPU cores"
