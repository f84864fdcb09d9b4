"""Feedback that providers push over HTTP: a request is verified, queued unchanged, and only then acknowledged."""
