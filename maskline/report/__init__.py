"""The self-contained HTML page and its figures; free of TensorFlow."""
