"""django-allauth with the settings that our template prints for Paperless-ngx: signs in, learns the groups, signs out."""

import json

from django_site import Browser, Site, configure, given, issuer

printed = dict(line.split("=", 1) for line in given["settings"].splitlines() if "=" in line)
configure(
    ["allauth", "allauth.account", "allauth.socialaccount", *printed["PAPERLESS_APPS"].split(",")],
    ["allauth.account.middleware.AccountMiddleware"],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    SOCIALACCOUNT_PROVIDERS=json.loads(printed["PAPERLESS_SOCIALACCOUNT_PROVIDERS"]),
    ACCOUNT_LOGOUT_REDIRECT_URL=printed["PAPERLESS_LOGOUT_REDIRECT_URL"],
    LOGIN_REDIRECT_URL="/in",
)

from allauth.socialaccount.models import SocialAccount
from django.urls import include, path

urlpatterns = [path("accounts/", include("allauth.urls"))]

site, browser = Site(), Browser()
for _ in range(2):
    way = site.goes_to("post", "/accounts/oidc/vestibule/login/")
    assert way.startswith(issuer + "/oauth/authorize?") and "code_challenge_method=S256" in way, way
    back = browser.back(way)
    assert site.goes_to("get", back) == "/in", back
    user = site.user()
    assert (user.username, user.email) == ("alice", "alice@example.com"), user
    account = SocialAccount.objects.get(user=user)
    for told in ["userinfo", "id_token"]:
        assert account.extra_data[told]["groups"] == ["staff"], account.extra_data
    assert account.uid == account.extra_data["userinfo"]["sub"]

    way = site.goes_to("post", "/accounts/logout/")
    assert not site.user().is_authenticated
    assert way == issuer + "/oauth/logout", way

# Nothing says whose session it is, so the user is asked.
page = browser.session.get(way)
assert page.status_code == 200 and browser.is_signed_in(), page.text
assert browser.post("/oauth/sign-out", {"request": ""}).status_code == 303
assert not browser.is_signed_in()
