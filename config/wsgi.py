"""HTTP by gunicorn threads."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DB_POOL", "8")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
# What is loaded stays: looking through it again and again made every twentieth page twice as slow.
gc.freeze()
