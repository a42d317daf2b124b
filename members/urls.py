"""People pages."""

from django.urls import path

from members import views

app_name = "members"
urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/invitations/", views.invitation_create, name="invitation_create"),
    path("people/invitations/<int:pk>/revoke/", views.invitation_revoke, name="invitation_revoke"),
    path("people/<int:pk>/", views.member_change, name="member_change"),
    path("people/<int:pk>/deactivate/", views.member_deactivate, name="member_deactivate"),
    path("people/<int:pk>/reactivate/", views.member_reactivate, name="member_reactivate"),
    path("people/teams/", views.team_create, name="team_create"),
    path("settings/", views.settings, name="settings"),
    path("settings/remove/", views.organization_remove, name="organization_remove"),
    path("invite/<slug:slug>/<str:token>/", views.invitation, name="invitation"),
]
