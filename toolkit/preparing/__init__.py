"""From a video to a prepared clip, and the report of what was found."""
