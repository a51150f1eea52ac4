"""The bounds of the options of prediction, lowest and highest, in a module that imports nothing."""

WINDOW = (32, 4096)  # pixels
SCALE = (0.25, 4.0)
DROPOUT_SAMPLES = (0, 100)
