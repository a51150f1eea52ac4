"""The formats of exported files: one file for each, and the quantization of ONNX."""
