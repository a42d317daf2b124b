"""Pages of the platform."""

from django.urls import path

from tenants import views

urlpatterns = [
    path("", views.home, name="home"),
    path("organizations/", views.organization_list, name="organization_list"),
    path("organizations/new/", views.organization_new, name="organization_new"),
    path("enter/<slug:slug>/", views.organization_enter, name="organization_enter"),
    path("handover/", views.handover_give, name="handover_give"),
    path("handover/<str:token>/", views.handover_take, name="handover_take"),
    path("tls/allowed", views.tls_allowed, name="tls_allowed"),
    path("profile/", views.profile, name="profile"),
    path("language/", views.set_language, name="set_language"),
    path("terms/", views.terms, name="terms"),
    path("privacy/", views.privacy, name="privacy"),
    path("outbox/", views.outbox, name="outbox"),
    path("outbox/<str:name>/", views.outbox_message, name="outbox_message"),
]
