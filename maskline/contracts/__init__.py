"""What stages hand each other, typed; free of TensorFlow."""
