"""Namespaces of our own: the sandbox a run lives in, and the places tools run at."""
