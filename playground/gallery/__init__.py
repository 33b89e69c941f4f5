"""Small trained runs that ship with the app, read-only. Each has its recipe beside it, in README.md."""

from playground.runs.gallery import get, holds, runs

__all__ = ["get", "holds", "runs"]
