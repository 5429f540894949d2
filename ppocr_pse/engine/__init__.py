"""The training loop, evaluation, detection, checkpoints, precision, optimizer, progress and runtime."""
