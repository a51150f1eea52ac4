"""The params that name the user's own files, which are where they are on each machine."""

OWN_FILES = {"dataset.path": ("none",), "model.encoder_weights": ("none", "imagenet")}  # and the values that are none
