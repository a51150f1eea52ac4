"""The training loop, losses, schedule, moving average, checkpoints and resume."""
