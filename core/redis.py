"""The one door to Valkey for code that is neither cache, channel layer nor Celery."""

from functools import cache

import redis
from django.conf import settings

ValkeyError = redis.RedisError


@cache
def client() -> "redis.Redis":
    """Return the process's client: thread-safe, pooled, and quick to give up."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.5, decode_responses=True
    )
