"""Prepared clips on disk: their folders, what is checked, their sizes and crops."""
