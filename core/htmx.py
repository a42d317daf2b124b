"""Answers that htmx understands."""

import json
from typing import Any

from django.http import HttpResponse
from django_htmx.http import HttpResponseClientRedirect as HttpResponseClientRedirect  # the project's one name for it

from core.errors import Sentence


def trigger(response: HttpResponse, event: str, detail: Any) -> HttpResponse:
    """Add a client-side event to a response, beside those that it already carries."""
    events = json.loads(response.headers.get("HX-Trigger", "{}"))
    events[event] = detail
    response.headers["HX-Trigger"] = json.dumps(events)
    return response


def toast(
    response: HttpResponse,
    title: Sentence,
    *,
    category: str = "success",
    description: Sentence = "",
    action: dict[str, Any] | None = None,
) -> HttpResponse:
    """Show a toast when the response arrives.

    `category` is success, info, warning or error; `action` is {label, url, values} and posts.
    """
    detail: dict[str, Any] = {"category": category, "title": str(title)}
    if description:
        detail["description"] = str(description)
    if action:
        detail["action"] = {**action, "label": str(action["label"])}
    return trigger(response, "crm:toast", detail)
