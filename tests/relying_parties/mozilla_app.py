"""mozilla-django-oidc: signs in, takes the groups over, signs out here and there."""

from urllib.parse import urlencode

import requests
from django_site import HOST, Browser, Site, configure, given, issuer

metadata = requests.get(issuer + "/.well-known/openid-configuration").json()


def sign_out_there(request):
    fields = {"id_token_hint": request.session["oidc_id_token"], "post_logout_redirect_uri": f"https://{HOST}/bye"}
    return metadata["end_session_endpoint"] + "?" + urlencode(fields)


configure(
    ["mozilla_django_oidc"],
    AUTHENTICATION_BACKENDS=["__main__.Backend"],
    OIDC_RP_CLIENT_ID=given["client_id"],
    OIDC_RP_CLIENT_SECRET=given["client_secret"],
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_RP_SCOPES="openid profile email groups",
    OIDC_USE_PKCE=True,
    OIDC_STORE_ID_TOKEN=True,
    OIDC_OP_AUTHORIZATION_ENDPOINT=metadata["authorization_endpoint"],
    OIDC_OP_TOKEN_ENDPOINT=metadata["token_endpoint"],
    OIDC_OP_USER_ENDPOINT=metadata["userinfo_endpoint"],
    OIDC_OP_JWKS_ENDPOINT=metadata["jwks_uri"],
    OIDC_OP_LOGOUT_URL_METHOD="__main__.sign_out_there",
    LOGIN_REDIRECT_URL="/in",
    LOGOUT_REDIRECT_URL="/bye",
)

from django.contrib.auth.models import Group
from django.urls import include, path
from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class Backend(OIDCAuthenticationBackend):
    def create_user(self, claims):
        return self.update_user(super().create_user(claims), claims)

    def update_user(self, user, claims):
        user.username = claims["preferred_username"]
        user.save()
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in claims["groups"]])
        return user


urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls"))]

site, browser = Site(), Browser()
for is_known in [False, True]:
    way = site.goes_to("get", "/oidc/authenticate/")
    back = browser.back(way)
    assert site.goes_to("get", back) == "/in", back
    user = site.user()
    assert (user.username, user.email) == ("alice", "alice@example.com"), user
    assert [group.name for group in user.groups.all()] == ["staff"]
    if not is_known:
        site.client.logout()

left = site.goes_to("post", "/oidc/logout/")
assert not site.user().is_authenticated
assert browser.back(left) == f"https://{HOST}/bye"
assert not browser.is_signed_in()
