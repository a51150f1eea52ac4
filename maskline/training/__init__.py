"""The training loop with losses, schedule, moving average, early stopping, checkpoints and resume."""
