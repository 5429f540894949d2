"""From label files and pictures to batches for training, evaluation and detection."""
