"""Owns stand-ins that behave as badly as the world does.

For the tests of Keystead and of programs that use it. Nothing that serves a request may import it.
"""
