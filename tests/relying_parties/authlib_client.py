"""A relying party made of Authlib: signs in, verifies, refreshes, asks and revokes, or fails.

Arguments: issuer, user name, password; what `vestibule client add --json` printed comes on standard input.
"""

import json
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import jwt
from authlib.oidc.core import CodeIDToken

issuer, username, password = sys.argv[1:]
client = json.load(sys.stdin)
metadata = requests.get(issuer + "/.well-known/openid-configuration").json()
assert metadata["issuer"] == issuer

browser = requests.Session()
form = {"username": username, "password": password}
signed_in = browser.post(issuer + "/login", data=form, headers={"Origin": issuer}, allow_redirects=False)
assert signed_in.status_code == 303, signed_in.text

for method in ["client_secret_basic", "client_secret_post"]:
    session = OAuth2Session(
        client["client_id"],
        client["client_secret"],
        scope="openid profile email groups offline_access",
        redirect_uri="https://app.example.com/callback",
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
    )
    verifier = "a-verifier-of-forty-three-characters-or-more"
    way, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="a nonce"
    )
    back = browser.get(way, allow_redirects=False).headers["Location"]
    token = session.fetch_token(metadata["token_endpoint"], authorization_response=back, code_verifier=verifier)

    keys = requests.get(metadata["jwks_uri"]).json()
    claims = jwt.decode(
        token["id_token"],
        keys,
        claims_cls=CodeIDToken,
        claims_options={"iss": {"value": issuer}, "aud": {"value": client["client_id"]}},
        claims_params={
            "nonce": "a nonce",
            "client_id": client["client_id"],
            "access_token": token["access_token"],
        },
    )
    claims.validate()
    told = session.get(metadata["userinfo_endpoint"]).json()
    assert told["preferred_username"] == username, told
    assert all(claims[name] == value for name, value in told.items()), (claims, told)

    # It asks for the scopes that it asked for at first.
    refreshed = session.refresh_token(metadata["token_endpoint"])
    assert refreshed["refresh_token"] != token["refresh_token"]

    def is_active(text):
        return session.introspect_token(metadata["introspection_endpoint"], token=text).json()["active"]

    assert is_active(refreshed["access_token"])
    revoked = session.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"])
    assert revoked.status_code == 200, revoked.text
    assert not is_active(refreshed["access_token"])
