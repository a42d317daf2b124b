"""Errors to Sentry, when somebody has given an address for them: where and what kind, never whose."""

from typing import Any

DROPPED = ("user", "extra", "breadcrumbs", "server_name", "modules", "logentry", "message")
KEPT_OF_REQUEST = ("method",)


def report_errors(dsn: str, *, environment: str, release: str) -> None:
    """Send unhandled errors to Sentry from now on. The library is imported here: most installations have no address."""
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=f"loved@{release}",
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0.0,
        before_send=scrub,
    )


def scrub(event: Any, hint: Any = None) -> Any:
    """Leave of an event what tells nothing about a person: kinds of errors, places in the code, the route.

    What an error says is dropped too, since databases quote values in it. The log has it, under the same
    request id, which is kept.
    """
    for name in DROPPED:
        event.pop(name, None)
    request = event.get("request", {})
    headers = {name.lower(): value for name, value in (request.get("headers") or {}).items()}
    event["request"] = {name: request[name] for name in KEPT_OF_REQUEST if name in request}
    if request_id := headers.get("x-request-id"):
        event.setdefault("tags", {})["request"] = request_id
    for error in (event.get("exception") or {}).get("values", []):
        error["value"] = ""
        for frame in (error.get("stacktrace") or {}).get("frames", []):
            frame.pop("vars", None)
    return event
