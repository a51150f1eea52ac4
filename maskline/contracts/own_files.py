"""The params that name the user's own files, which are where they are on each machine."""

# Each with the values that name none.
OWN_FILES = {
    "dataset.path": ("none",),
    "model.encoder_weights": ("none", "imagenet"),
    "model.start_from": ("none",),
}
