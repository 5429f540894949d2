"""From a checkpoint to a folder that engines run, and from that folder to detections."""
