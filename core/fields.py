"""Model fields of the ground."""

from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@cache
def _fernet() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
    except ValueError as error:
        raise ImproperlyConfigured("FIELD_KEYS must hold Fernet keys, separated by commas.") from error


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Keep a secret encrypted in its row.

    Written with the first of FIELD_KEYS, read with any of them. A row that no key opens raises
    `ImproperlyConfigured`, never yields its ciphertext. It cannot be filtered on.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return _fernet().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not value:
            return value
        try:
            return _fernet().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured("A secret cannot be opened with any of FIELD_KEYS.") from error

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name not in {"isnull"}:
            raise TypeError("An encrypted field cannot be searched.")
        return super().get_lookup(lookup_name)
