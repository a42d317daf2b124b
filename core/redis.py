"""The one door to Valkey for code that is neither cache, channel layer nor Celery."""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

ValkeyError = redis.RedisError
# The library would try for ten seconds; a request that can do without Valkey must not wait for it.
ONCE = Retry(NoBackoff(), 0)


@cache
def client() -> "redis.Redis":
    """Return the process's client: thread-safe, pooled, and quick to give up."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.5, retry=ONCE, decode_responses=True
    )
