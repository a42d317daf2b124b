"""Where sockets go: `o/<slug>/ws/…` on the main host, `ws/…` on an organization's own."""

from channels.routing import URLRouter
from django.urls import path

from crm.consumers import BoardConsumer
from members.sockets import OriginGuard

BOARD = BoardConsumer.as_asgi()

sockets = OriginGuard(
    URLRouter(
        [
            path("o/<slug:slug>/ws/pipeline/<int:pipeline_id>/", BOARD),
            path("ws/pipeline/<int:pipeline_id>/", BOARD),
        ]
    )
)
