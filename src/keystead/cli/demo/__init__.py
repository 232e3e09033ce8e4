"""Demonstrations: stories that are played with real calls against a running server."""
