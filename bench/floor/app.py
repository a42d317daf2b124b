"""Bare Django in one file: a board by SQL, a board by the ORM, a move. No sessions, rights, history.

`gunicorn bench.floor.app:application` with DATABASE_URL and REDIS_URL.
"""

import json
import os
from collections import defaultdict
from typing import Any

import django
import psycopg
import redis
from django.conf import settings

from bench.data import SIZES
from bench.floor.page import PER_COLUMN, raw_board, render
from bench.floor.tables import schema_of


def database(size: str) -> dict[str, Any]:
    """Return the connection of one size: the same database, another search path."""
    where = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": where.get("dbname", ""),
        "USER": where.get("user", ""),
        "PASSWORD": where.get("password", ""),
        "HOST": where.get("host", ""),
        "PORT": str(where.get("port", "")),
        "OPTIONS": {"options": f"-c search_path={schema_of(size)}", "pool": {"min_size": 1, "max_size": 4}},
    }


settings.configure(
    SECRET_KEY="the floor keeps no secrets",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    USE_I18N=False,
    DATABASES={"default": database("bench1k")} | {size: database(size) for size in SIZES},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connections, models, transaction  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

publisher = redis.Redis.from_url(os.environ["REDIS_URL"])


class Row(models.Model):
    class Meta:
        abstract = True
        app_label = "floor"
        managed = False


class Stage(Row):
    name = models.TextField()
    place = models.IntegerField()

    class Meta(Row.Meta):
        db_table = "stage"


class Owner(Row):
    name = models.TextField()

    class Meta(Row.Meta):
        db_table = "owner"


class Contact(Row):
    name = models.TextField()
    phone = models.TextField()

    class Meta(Row.Meta):
        db_table = "contact"


class Lead(Row):
    title = models.TextField()
    contact = models.ForeignKey(Contact, models.CASCADE)
    stage = models.ForeignKey(Stage, models.CASCADE)
    owner = models.ForeignKey(Owner, models.CASCADE)
    value = models.DecimalField(max_digits=12, decimal_places=2)
    priority = models.IntegerField()
    due = models.DateField()
    rank = models.DecimalField(max_digits=20, decimal_places=10)
    version = models.IntegerField()

    class Meta(Row.Meta):
        db_table = "lead"


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("live")


def sql_board(request: HttpRequest, size: str) -> HttpResponse:
    with connections[size].cursor() as cursor:
        return HttpResponse(raw_board(cursor, schema_of(size)))


def orm_board(request: HttpRequest, size: str) -> HttpResponse:
    leads = Lead.objects.using(size)
    totals = {row["stage"]: row for row in leads.values("stage").annotate(count=Count("id"), total=Sum("value"))}
    columns = []
    for stage in Stage.objects.using(size).order_by("place"):
        cards = leads.filter(stage=stage).select_related("contact", "owner").order_by("rank")[:PER_COLUMN]
        columns.append(
            {"id": stage.pk, "name": stage.name, **totals[stage.pk], "cards": [_card(lead) for lead in cards]}
        )
    tags = _tags(size, [card["id"] for column in columns for card in column["cards"]])
    for column in columns:
        for card in column["cards"]:
            card["tags"] = tags[card["id"]]
    return HttpResponse(render(columns))


def move(request: HttpRequest, size: str, lead_id: int, stage_id: int) -> HttpResponse:
    with transaction.atomic(using=size):
        lead = Lead.objects.using(size).select_for_update().get(pk=lead_id)
        lead.stage_id, lead.version = stage_id, lead.version + 1
        lead.save(update_fields=["stage", "version"])
    publisher.publish("floor", json.dumps({"lead": lead_id, "stage": stage_id}))
    return HttpResponse(f'<article class="card" id="lead-{lead_id}"></article>')


def _card(lead: Lead) -> dict[str, Any]:
    return {
        "id": lead.pk,
        "title": lead.title,
        "value": lead.value,
        "priority": lead.priority,
        "due": lead.due,
        "contact": lead.contact.name,
        "phone": lead.contact.phone,
        "owner": lead.owner.name,
    }


def _tags(size: str, lead_ids: list[int]) -> dict[int, list[str]]:
    tags = defaultdict(list)
    with connections[size].cursor() as cursor:
        cursor.execute(
            "SELECT lead_id, name FROM lead_tag JOIN tag ON tag.id = tag_id WHERE lead_id = ANY(%s) ORDER BY tag.id",
            [lead_ids],
        )
        for lead_id, name in cursor.fetchall():
            tags[lead_id].append(name)
    return tags


urlpatterns = [
    path("health/live", health),
    path("sql/<str:size>/", sql_board),
    path("orm/<str:size>/", orm_board),
    path("move/<str:size>/<int:lead_id>/<int:stage_id>/", move),
]
application = get_wsgi_application()
