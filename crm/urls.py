"""Pages of leads."""

from django.urls import path

from crm.views import board, day, imports, leads

app_name = "crm"
urlpatterns = [
    path("board/", board.board, name="board"),
    path("board/<int:pipeline_id>/", board.board, name="board_pipeline"),
    path("board/<int:pipeline_id>/columns/", board.board_columns, name="board_columns"),
    path("board/<int:pipeline_id>/column/<int:stage_id>/", board.board_column, name="board_column"),
    path("board/<int:pipeline_id>/delta/", board.board_delta, name="board_delta"),
    path("board/<int:pipeline_id>/stage/<int:stage_id>/leads/", board.lead_create_quick, name="lead_create_quick"),
    path("leads/<int:lead_id>/move/", board.lead_move, name="lead_move"),
    path("day/", day.day, name="day"),
    path("leads/", leads.lead_list, name="lead_list"),
    path("leads/new/", leads.lead_new, name="lead_new"),
    path("leads/export.csv", leads.lead_export, name="lead_export"),
    path("leads/<int:pk>/", leads.lead_detail, name="lead_detail"),
    path("leads/<int:pk>/edit/", leads.lead_edit, name="lead_edit"),
    path("leads/<int:pk>/notes/", leads.lead_note, name="lead_note"),
    path("leads/<int:pk>/lose/", leads.lead_lose, name="lead_lose"),
    path("leads/<int:pk>/reopen/", leads.lead_reopen, name="lead_reopen"),
    path("leads/<int:pk>/archive/", leads.lead_archive, name="lead_archive"),
    path("leads/<int:pk>/restore/", leads.lead_restore, name="lead_restore"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/", imports.import_new, name="import_new"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/preview/", imports.import_preview, name="import_preview"),
    path("imports/<int:pk>/start/", imports.import_start, name="import_start"),
    path("imports/<int:pk>/progress/", imports.import_progress, name="import_progress"),
    path("imports/<int:pk>/errors/", imports.import_errors, name="import_errors"),
    path("imports/<int:pk>/discard/", imports.import_discard, name="import_discard"),
]
