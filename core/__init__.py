"""The ground: no tables, nothing of the other apps."""

VERSION = "0.1.0"  # as in pyproject.toml
