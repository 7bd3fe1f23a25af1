"""The person of a clip moves as somebody in front of a camera does, at once: stages in threads, and what they cost."""
