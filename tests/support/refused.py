"""The operations of a graph that TensorFlow refuses on a GPU, because they have no deterministic kernel there."""

# TensorFlow 2.21 refuses these on a GPU under op determinism; its messages name them. It also refuses the gradient of
# batch normalization outside training.
REFUSED = {
    *("AdjustContrast", "AdjustContrastv2", "Bincount", "CropAndResizeGradBoxes", "CropAndResizeGradImage"),
    *("DebugNumericSummaryV2", "DenseBincount", "Dilation2DBackpropFilter", "Dilation2DBackpropInput"),
    *("FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannelGradient", "MaxPoolGradWithArgmax"),
    *("RaggedBincount", "ResizeNearestNeighborGrad", "ScatterAdd", "ScatterNdAdd", "ScatterNdSub", "ScatterSub"),
    *("SoftmaxCrossEntropyWithLogits", "SparseBincount", "SparseSoftmaxCrossEntropyWithLogits"),
    *("SparseTensorDenseMatMul", "Svd", "Timestamp"),
}


def run_by(graph):
    """Return the operations of a graph that run, and those of the functions that they call, such as branches."""
    waiting, found = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs], set()
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    inner = [function.graph for function in graph._functions.values() if hasattr(function, "graph")]
    return found.union(*map(run_by, inner))


def types(operations):
    return {operation.type for operation in operations}


def refused(operations):
    """Return the types of the operations that are refused."""
    return {
        operation.type
        for operation in operations
        if operation.type in REFUSED
        or (operation.type.startswith("FusedBatchNormGrad") and not operation.get_attr("is_training"))
    }
