"""From a checkpoint to a video: load, choose, paint, write."""
