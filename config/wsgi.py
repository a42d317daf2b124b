"""HTTP by gunicorn threads."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DB_POOL", "8")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
