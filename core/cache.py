"""A cache that is allowed to be away."""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache

from core.redis import ONCE, ValkeyError

log = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Answer as an empty cache while Valkey is down, so that pages go on.

    Rate limits of sign-in live in the cache: while it is away they do not count, which is why
    /health/ready calls that state degraded.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {"socket_timeout": 1, "socket_connect_timeout": 0.5, "retry": ONCE, **params.get("OPTIONS", {})}
        super().__init__(server, {**params, "OPTIONS": options})

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._try("get", default, key, default, version)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        self._try("set", None, key, value, *args, **kwargs)

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(self._try("add", True, key, value, *args, **kwargs))

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(self._try("delete", False, key, version))

    def touch(self, key: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(self._try("touch", False, key, *args, **kwargs))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return int(self._try("incr", delta, key, delta, version))

    def get_many(self, keys: Any, version: Any = None) -> dict[Any, Any]:
        return dict(self._try("get_many", {}, keys, version))

    def _try(self, method: str, otherwise: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(), method)(*args, **kwargs)
        except ValkeyError as error:
            log.warning("cache is away: %s", type(error).__name__)
            return otherwise
