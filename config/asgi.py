"""HTTP and sockets in one process."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DB_POOL", "10")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from config.sockets import sockets  # noqa: E402  (consumers need loaded apps)

application = ProtocolTypeRouter({"http": http, "websocket": sockets})
gc.freeze()  # as in config.wsgi
