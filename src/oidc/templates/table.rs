use super::Template;
use crate::oidc::clients::AuthMethod::{Basic, Post};

/// What holds for most.
const USUAL: Template = Template {
    name: "",
    title: "",
    redirect_uris: &[],
    sign_out_uris: &[],
    back_channel_uri: None,
    pkce: true,
    auth_method: Some(Basic),
    offline_access: false,
    place: "",
    settings: "",
    note: "",
};

/// All by name.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "audiobookshelf",
        title: "Audiobookshelf",
        redirect_uris: &[
            "{base}/auth/openid/callback",
            "{base}/auth/openid/mobile-redirect",
            "audiobookshelf://oauth",
        ],
        place: "Settings, Authentication, OpenID Connect Authentication",
        settings: "\
Issuer URL: {issuer}
(Auto-populate fills the other addresses)
Client ID: {client_id}
Client Secret: {secret}
Signing Algorithm: RS256
Allowed Mobile Redirect URIs: audiobookshelf://oauth
Subfolder for Redirect URLs: None
Match existing users by: Match by username
Group Claim: groups
",
        note: "With a group claim, one of a user's groups has to be called admin, user or guest; leave the claim empty if yours are not. Behind a subfolder, give the address with it and choose it for the redirect URLs.",
        ..USUAL
    },
    Template {
        name: "gitea",
        title: "Gitea or Forgejo",
        redirect_uris: &["{base}/user/oauth2/vestibule/callback"],
        pkce: false,
        place: "The command line of Gitea; Forgejo's is called forgejo",
        settings: "\
gitea admin auth add-oauth --provider=openidConnect --name=vestibule \\
  --key='{client_id}' --secret='{secret}' \\
  --auto-discover-url='{issuer}/.well-known/openid-configuration' \\
  --scopes='openid email profile groups' --group-claim-name=groups
",
        note: "The name of the source is a part of the redirect URI. Gitea sends no challenge (PKCE); once Forgejo has sent one, it has to.",
        ..USUAL
    },
    Template {
        name: "grafana",
        title: "Grafana",
        redirect_uris: &["{base}/login/generic_oauth"],
        sign_out_uris: &["{base}/login"],
        place: "grafana.ini",
        settings: "\
[auth.generic_oauth]
enabled = true
name = Vestibule
client_id = {client_id}
client_secret = {secret}
scopes = openid profile email groups
auth_url = {issuer}/oauth/authorize
token_url = {issuer}/oauth/token
api_url = {issuer}/oauth/userinfo
login_attribute_path = preferred_username
name_attribute_path = name
groups_attribute_path = groups
use_pkce = true
signout_redirect_url = {issuer}/oauth/logout?client_id={client_id}&post_logout_redirect_uri={base}/login
",
        note: "A user needs an e-mail address. root_url of Grafana has to be the address that browsers see.",
        ..USUAL
    },
    Template {
        name: "home-assistant",
        title: "Home Assistant",
        redirect_uris: &["{base}/auth/oidc/callback"],
        auth_method: Some(Post),
        place: "configuration.yaml, with the integration hass-oidc-auth",
        settings: "\
auth_oidc:
  client_id: '{client_id}'
  client_secret: '{secret}'
  discovery_url: '{issuer}/.well-known/openid-configuration'
  display_name: 'Vestibule'
  roles:
    admin: 'admins'
",
        note: "Home Assistant itself speaks no OpenID Connect; the integration comes from HACS. Members of the group under roles become its administrators.",
        ..USUAL
    },
    Template {
        name: "immich",
        title: "Immich",
        redirect_uris: &[
            "{base}/auth/login",
            "{base}/user-settings",
            "app.immich:///oauth-callback",
        ],
        auth_method: None,
        place: "Administration, Settings, OAuth Settings",
        settings: "\
Issuer URL: {issuer}
Client ID: {client_id}
Client Secret: {secret}
Scope: openid profile email
Signing Algorithm: RS256
Button Text: Sign in with Vestibule
",
        note: "The address of the app on telephones has three slashes. Versions differ in how they send the secret, so both ways are taken.",
        ..USUAL
    },
    Template {
        name: "jellyfin",
        title: "Jellyfin",
        redirect_uris: &[
            "{base}/sso/OID/redirect/vestibule",
            "{base}/sso/OID/r/vestibule",
        ],
        auth_method: Some(Post),
        place: "Dashboard, Plugins, SSO-Auth",
        settings: "\
Name of the OID Provider: vestibule
OID Endpoint: {issuer}
OpenID Client ID: {client_id}
OID Secret: {secret}
Enabled: checked
Enable Authorization by Plugin: checked
Admin Roles: admins
Role Claim: groups
Request Additional Scopes: groups
Set default username claim: preferred_username
Scheme Override: https
",
        note: "The name of the provider is a part of the redirect URI. Without the scheme override the plugin sends http behind a proxy. People sign in at /sso/OID/start/vestibule.",
        ..USUAL
    },
    Template {
        name: "mealie",
        title: "Mealie",
        redirect_uris: &["{base}/login", "{base}/login?direct=1"],
        place: "The environment",
        settings: "\
OIDC_AUTH_ENABLED=true
OIDC_SIGNUP_ENABLED=true
OIDC_CONFIGURATION_URL={issuer}/.well-known/openid-configuration
OIDC_CLIENT_ID={client_id}
OIDC_CLIENT_SECRET={secret}
OIDC_PROVIDER_NAME=Vestibule
",
        note: "A user needs an e-mail address. If OIDC_USER_GROUP or OIDC_ADMIN_GROUP is set, some versions refuse a user without any group.",
        ..USUAL
    },
    Template {
        name: "nextcloud",
        title: "Nextcloud",
        redirect_uris: &[
            "{base}/apps/user_oidc/code",
            "{base}/index.php/apps/user_oidc/code",
        ],
        sign_out_uris: &["{base}/"],
        back_channel_uri: Some("{base}/apps/user_oidc/backchannel-logout/vestibule"),
        auth_method: Some(Post),
        place: "Nextcloud's command line, with the app user_oidc",
        settings: "\
php occ user_oidc:provider vestibule \\
  --clientid='{client_id}' --clientsecret='{secret}' \\
  --discoveryuri='{issuer}/.well-known/openid-configuration' \\
  --scope='openid profile email groups' --unique-uid=0 \\
  --mapping-uid=preferred_username --mapping-display-name=name \\
  --mapping-email=email --mapping-groups=groups --group-provisioning=1
",
        note: "The name of the provider is a part of the back-channel address. With unique-uid=0 the user name is Nextcloud's own, so that users who are there already stay theirs.",
        ..USUAL
    },
    Template {
        name: "paperless-ngx",
        title: "Paperless-ngx",
        redirect_uris: &["{base}/accounts/oidc/vestibule/login/callback/"],
        place: "The environment",
        settings: r#"PAPERLESS_APPS=allauth.socialaccount.providers.openid_connect
PAPERLESS_SOCIALACCOUNT_PROVIDERS={"openid_connect":{"SCOPE":["openid","profile","email","groups"],"OAUTH_PKCE_ENABLED":true,"APPS":[{"provider_id":"vestibule","name":"Vestibule","client_id":"{client_id}","secret":"{secret}","settings":{"server_url":"{issuer}","token_auth_method":"client_secret_basic"}}]}}
PAPERLESS_LOGOUT_REDIRECT_URL={issuer}/oauth/logout
"#,
        note: "The slash at the end of the redirect URI belongs to it, and so does the provider_id.",
        ..USUAL
    },
    Template {
        name: "portainer",
        title: "Portainer",
        redirect_uris: &["{base}"],
        pkce: false,
        auth_method: Some(Post),
        place: "Settings, Authentication, OAuth, Custom",
        settings: "\
Client ID: {client_id}
Client secret: {secret}
Authorization URL: {issuer}/oauth/authorize
Access token URL: {issuer}/oauth/token
Resource URL: {issuer}/oauth/userinfo
Redirect URL: {base}
Logout URL: {issuer}/oauth/logout
User identifier: preferred_username
Scopes: openid profile groups email
Auth Style: In Params
",
        note: "The redirect URL is the bare address, without a slash at its end. Portainer sends no challenge (PKCE).",
        ..USUAL
    },
    Template {
        name: "proxmox",
        title: "Proxmox VE",
        redirect_uris: &["{base}"],
        place: "The command line of one node",
        settings: "\
pveum realm add vestibule --type openid \\
  --issuer-url '{issuer}' \\
  --client-id '{client_id}' --client-key '{secret}' \\
  --username-claim preferred_username --scopes 'openid profile email groups' \\
  --groups-claim groups --autocreate 1
",
        note: "The redirect URI is the address in the browser, with its port (https://pve.example.com:8006): register each that people use. The issuer has to be typed without a slash at its end. What the user name is made of cannot be changed later. --groups-claim needs 8.4.",
        ..USUAL
    },
    Template {
        name: "vaultwarden",
        title: "Vaultwarden",
        redirect_uris: &["{base}/identity/connect/oidc-signin"],
        offline_access: true,
        place: "The environment",
        settings: "\
SSO_ENABLED=true
SSO_AUTHORITY={issuer}
SSO_CLIENT_ID={client_id}
SSO_CLIENT_SECRET={secret}
SSO_SCOPES=profile email offline_access
SSO_PKCE=true
",
        note: "A user needs a verified e-mail address: vestibule user set NAME --email-verified true. Vaultwarden goes on when the session has ended, with offline_access.",
        ..USUAL
    },
];
