"""Pages of accounts: one's own, other people's, and the doors to a new one."""

from django.urls import path

from distillery_site.people import account, invite_views, passwords, views

urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/<int:pk>/", views.person, name="person"),
    path("people/<int:pk>/reset", views.person_reset, name="person_reset"),
    path("people/<int:pk>/unlock", views.person_unlock, name="person_unlock"),
    path("people/invitations/", invite_views.invitations, name="invitations"),
    path("people/invitations/<int:pk>/revoke", invite_views.invitation_revoke, name="invitation_revoke"),
    path("join/<str:secret>/", invite_views.invitation, name="invitation"),
    path("account/", account.account, name="account"),
    path("account/keys/<int:pk>/revoke", account.account_key_revoke, name="account_key_revoke"),
    path("account/password", passwords.PasswordChange.as_view(), name="password_change"),
    path("password/", passwords.PasswordReset.as_view(), name="password_reset"),
    path("password/<uidb64>/<token>/", passwords.PasswordSet.as_view(), name="password_set"),
]
