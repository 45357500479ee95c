"""Every route of the site; each name has its line in permissions.py."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from distillery_site import views
from distillery_site.auditing import views as auditing

urlpatterns = [
    path("", views.overview, name="overview"),
    path("health", views.health, name="health"),
    path("glossary", views.glossary, name="glossary"),
    path("switch", views.filter_switch, name="filter_switch"),
    path("login", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("audit/", auditing.audit, name="audit"),
    path("audit/export.<str:form>", auditing.audit_export, name="audit_export"),
    path("", include("distillery_site.people.urls")),
    path("", include("labeling.urls")),
    path("", include("training.urls")),
    path("", include("scoring.urls")),
    path("api/", include("scoring.api_urls")),
    path("api/", include("labeling.api_urls")),
    path("admin/", admin.site.urls),
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.server_error
