"""A forecast of the memory that training takes, made from the traced step before the first one runs."""

import math
from collections import Counter

import tensorflow as tf

from maskline.engine.memory import free_memory
from maskline.errors import InputError
from maskline.params.model import ModelParams
from maskline.params.train import TrainParams
from maskline.training.trainer import Trainer

# Operations whose result is the memory of an input, or of a variable.
_VIEWS = {
    *("Const", "ExpandDims", "Identity", "IdentityN", "Placeholder", "PreventGradient", "ReadVariableOp", "Reshape"),
    *("Squeeze", "StopGradient"),
}
# Operations that write their result over an input that nothing else reads.
_IN_PLACE = {
    *("AddN", "AddV2", "BiasAdd", "Cast", "DivNoNan", "Exp", "LeakyRelu", "Log", "LogSoftmax", "Maximum", "Minimum"),
    *("Mul", "Neg", "Pow", "RealDiv", "Relu", "Relu6", "Relu6Grad", "ReluGrad", "Rsqrt", "SelectV2", "Sigmoid"),
    *("Softmax", "Sqrt", "Square", "Sub", "Tanh"),
}
_KERNELS = 100 << 20  # bytes of code and scratch that the first step brings in, by measurement
_GB = 1e9


def check_memory(
    trainer: Trainer,
    graph: tf.Graph,
    model: ModelParams,
    params: TrainParams,
    size: tuple[int, int],
    processes: int = 1,
) -> None:
    """Refuse training that clearly does not fit into memory, where it runs on the CPU.

    Args:
        graph: the trainer's traced step.
        size: height and width of what a step sees of each image; pixels.
        processes: how many on this host train at the same time; each takes the same memory.

    Raises:
        InputError: the forecast is more than what these processes may still take.
    """
    free = free_memory()
    if free is None or tf.config.list_physical_devices("GPU"):
        return
    needed = processes * forecast(trainer, graph)
    if needed > free:
        height, width = size
        raise InputError(
            f"training needs about {needed / _GB:.1f} GB more memory, but only {free / _GB:.1f} GB are free; lower "
            f"train.batch_size (Received: {params.batch_size}), preprocess.height and width, or "
            f"augment.crop (Received: {height}x{width}), or model.width (Received: {model.width})."
        )


def forecast(trainer: Trainer, graph: tf.Graph) -> int:
    """Return how many bytes training takes in addition to what the process holds before the first step.

    It is the sum of a step's need and a checkpoint's, because what a step frees stays with the process. What the input
    pipeline takes does not count. In eight networks the forecast of the process's peak lay 2 to 11 % below it.
    """
    weights = sum(tf.as_dtype(v.dtype).size * math.prod(v.shape) for v in trainer.model.variables)
    kept = trainer.state_bytes() + weights  # a checkpoint's variables, and those of the best epoch
    step = temporaries(graph) + weights + _KERNELS  # the kernels keep weights in an order of their own
    return step + 3 * kept  # the arrays, the archive, the archive with its digest


def temporaries(graph: tf.Graph) -> int:
    """Return the most bytes that the results of a graph's operations fill at the same time.

    The operations run in the order of their making, and each result lives until its last reader has run. Results of
    unknown shape, and those inside loops and branches, do not count.
    """
    operations = [(operation.type, operation.inputs, operation.outputs) for operation in graph.get_operations()]
    readers = Counter(id(tensor) for _, inputs, _ in operations for tensor in inputs)
    buffer_of: dict[int, int] = {}  # each tensor's buffer, named by the tensor that it was made for
    sizes: dict[int, int] = {}
    unread: Counter[int] = Counter()  # how often each buffer will still be read
    filled = most = 0
    for kind, inputs, outputs in operations:
        reads = Counter(buffer_of[id(tensor)] for tensor in inputs)
        for tensor in outputs:
            size = 0 if kind in _VIEWS else _bytes(tensor)
            shared = _shared(kind, size, reads, unread, sizes)
            buffer = buffer_of[id(tensor)] = id(tensor) if shared is None else shared
            if shared is None:
                sizes[buffer] = size
                filled += size if readers[buffer] else 0
            unread[buffer] += readers[id(tensor)]
        most = max(most, filled)
        unread.subtract(reads)
        filled -= sum(sizes[buffer] for buffer in reads if not unread[buffer])
    return most


def _shared(kind: str, size: int, reads: Counter[int], unread: Counter[int], sizes: dict[int, int]) -> int | None:
    """Return the buffer of an input that a result of `size` bytes shares, or None."""
    if kind in _VIEWS:
        return next(iter(reads), None)
    if kind in _IN_PLACE:
        return next((each for each, count in reads.items() if unread[each] == count and sizes[each] == size), None)
    return None


def _bytes(tensor: tf.Tensor) -> int:
    return tensor.dtype.size * tensor.shape.num_elements() if tensor.shape.is_fully_defined() else 0
