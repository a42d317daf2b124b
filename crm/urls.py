"""Pages of leads."""

from django.urls import path

from crm import views  # noqa: F401

app_name = "crm"
urlpatterns = [
    # day, board, leads and imports: one line a page, grouped by subject
]
