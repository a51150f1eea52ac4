"""Weights files that lie: each is one sentence that names the file, and never costs more memory than a real one."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from maskline.contracts.hdf5 import check_hdf5
from maskline.datasets.weights import prepare_weights
from maskline.errors import InputError
from maskline.params.encoder import EncoderParams

ROOT = Path(__file__).parents[2]
LIMIT = 2 << 30  # bytes of address space


def secret(folder):
    with h5py.File(folder / "secret.h5", "w") as file:
        file["kernel"] = np.arange(4.0)
    (folder / "secret.txt").write_bytes(b"0123456789abcdef" * 2)


def external_link(file):
    file["layers"] = h5py.ExternalLink("secret.h5", "/kernel")


def soft_link(file):
    file["layers"] = h5py.SoftLink("/layers")


def external_values(file):
    file.create_dataset("kernel", (4,), "f8", external=[("secret.txt", 0, 32)])


def virtual_values(file):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "kernel", (4,))
    file.create_virtual_dataset("kernel", layout)


def huge_shape(file):
    file.create_dataset("kernel", (1 << 40,), "f4", chunks=(1 << 16,))


def huge_hole(file):
    file.create_dataset("kernel", (1 << 36,), "f4")


def huge_negative_overflow(file):
    for number in range(8):
        file.create_dataset(f"kernel{number}", (1 << 60,), "f8", chunks=(1024,))


def compressed_bomb(file):
    file.create_dataset("kernel", (1 << 26,), "f4", compression="gzip", data=np.zeros(1 << 26, "f4"))


def texts(file):
    file["kernel"] = ["a", "b"]


def pickled(file):
    file.create_dataset("kernel", (1,), h5py.vlen_dtype(np.uint8))


def references(file):
    file["kernel"] = np.zeros(3)
    file.create_dataset("reference", (1,), h5py.ref_dtype)[0] = file["kernel"].ref


def named_type(file):
    file["kind"] = np.dtype("f8")


LIES = {
    external_link: "/layers is a link to another place",
    soft_link: "/layers is a link to another place",
    external_values: "the values of /kernel are in another file",
    virtual_values: "the values of /kernel are in another file",
    huge_shape: "its numbers would take 4,398,046,511,104 bytes or more",
    huge_hole: "its numbers would take 274,877,906,944 bytes or more",
    huge_negative_overflow: "its numbers would take 9,223,372,036,854,775,808 bytes or more",
    compressed_bomb: "its numbers would take 268,435,456 bytes or more",
    texts: "/kernel does not hold numbers",
    pickled: "/kernel does not hold numbers",
    references: "/reference does not hold numbers",
    named_type: "/kind does not hold numbers",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_file_that_lies_is_refused_before_its_values_are_read(lie, tmp_path):
    secret(tmp_path)
    path = tmp_path / "encoder.weights.h5"
    with h5py.File(path, "w") as file:
        lie(file)
    with pytest.raises(InputError) as caught:
        prepare_weights(
            EncoderParams(encoder="unet", encoder_weights=str(path), start_from="none"), tmp_path / "weights"
        )
    assert str(caught.value).startswith(f"{path} cannot be used: {LIES[lie]}")
    assert "\n" not in str(caught.value) and not (tmp_path / "weights").exists()


def test_groups_in_a_circle_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        inner = file.create_group("inner")
        inner["kernel"] = np.zeros(3)
        inner["again"] = file["/"]
        inner["twice"] = inner["kernel"]
    check_hdf5(tmp_path / "a.h5")


def test_a_cut_file_is_told_at_every_length(tmp_path):
    path = tmp_path / "whole.h5"
    with h5py.File(path, "w") as file:
        for number in range(4):
            file[f"layers/{number}/vars/0"] = np.arange(50.0)
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"whole\.h5 is not a complete HDF5 file; remove it"):
            check_hdf5(path)


def test_training_refuses_them_too_within_bounded_memory(tmp_path):
    """In a process of its own, which has the address space of an honest run."""
    path = tmp_path / "encoder.weights.h5"
    with h5py.File(path, "w") as file:
        huge_hole(file)
    program = (
        "import sys; from pathlib import Path\n"
        "from maskline.contracts.hdf5 import check_hdf5\n"
        "from maskline.errors import InputError\n"
        "try: check_hdf5(Path(sys.argv[1]))\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
    )
    assert done.stdout.startswith(f"{path} cannot be used"), done.stderr
