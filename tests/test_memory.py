import gc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskline.shards.read.buffers import BufferPool


def test_memory_is_used_again_once_nothing_refers_to_it():
    memory = BufferPool()
    first = memory.empty((4, 5, 3))
    address = first.ctypes.data
    assert first.shape == (4, 5, 3) and first.dtype == np.uint8 and address % 64 == 0
    assert memory.empty((4, 5, 3)).ctypes.data != address
    del first
    gc.collect()
    assert address in {array.ctypes.data for array in [memory.empty((60,)), memory.empty((60,))]}


def test_a_part_of_an_array_keeps_its_memory():
    memory = BufferPool()
    part = memory.empty((4, 8))[2, 3:]
    part[...] = 7
    for _ in range(3):
        memory.empty((4, 8))[...] = 0
    assert (part == 7).all()


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=60))
def test_no_two_arrays_share_memory(steps):
    memory, held = BufferPool(), []
    for number, (drop, size) in enumerate(steps):
        if drop and held:
            held.pop(number % len(held))
        array = memory.empty((size, 100))
        array[...] = number % 256
        held.append((array, number % 256))
    assert all((array == value).all() for array, value in held)
