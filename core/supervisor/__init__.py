"""The supervisor behind ./loved: local servers, and our own processes on them. No Django in here."""

from core.supervisor.servers import Services, services

__all__ = ["Services", "services"]
