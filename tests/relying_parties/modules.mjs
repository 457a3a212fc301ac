// The modules of the OpenID conformance plans, as an application made of openid-client goes through them. Argument: the
// module's name. What stands in the way, and what `vestibule client add --json` printed, comes on standard input; what was
// seen goes to standard output. The library verifies each answer; what it does not take ends the case.

import { createServer } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { text } from "node:stream/consumers";
import * as client from "openid-client";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { Browser, bye, callback, configure, given, refused, signIn, way } from "./party.mjs";

const browser = new Browser();

/** The request without the library: what it would not send. */
async function raw(change) {
  const { url } = await way(await configure());
  change(url.searchParams);
  return browser.follow(url.href);
}

const told = ({ back, headers, ...params }) => ({ ...params, to: back && back.origin + back.pathname });

async function scope(scope) {
  const config = await configure();
  const { tokens, claims } = await signIn(browser, config, { scope });
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  return { scope: tokens.scope, claims, info };
}

async function userinfo(request) {
  const config = await configure();
  const { tokens, claims } = await signIn(browser, config);
  const endpoint = config.serverMetadata().userinfo_endpoint;
  const answer = await fetch(endpoint, request(tokens.access_token));
  return { status: answer.status, info: await answer.json(), sub: claims.sub };
}

const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** Signs in with something more in the request. */
const more = (parameters) => async () => {
  const { arrived, claims } = await signIn(browser, await configure(), parameters);
  return { ...told(arrived), claims };
};

/** Signs in, comes again later, and tells both times of the proof. */
async function again(parameters) {
  const config = await configure();
  const first = await signIn(browser, config);
  // Times in tokens have whole seconds.
  while (Date.now() / 1000 < first.claims.auth_time + 2.1) await sleep(100);
  const second = await signIn(browser, config, parameters);
  return { first: first.claims, second: second.claims };
}

async function codereuse() {
  const config = await configure();
  const { arrived, checks, tokens } = await signIn(browser, config);
  const again = await refused(client.authorizationCodeGrant(config, arrived.back, checks));
  const { active } = await client.tokenIntrospection(config, tokens.access_token);
  return { again, active };
}

async function refresh() {
  const config = await configure();
  const first = await signIn(browser, config);
  const second = await client.refreshTokenGrant(config, first.tokens.refresh_token);
  const other = new client.Configuration(config.serverMetadata(), given.other.client_id, given.other.client_secret);
  client.allowInsecureRequests(other);
  const stolen = await refused(client.refreshTokenGrant(other, second.refresh_token));
  return { first: first.claims, second: second.claims(), stolen };
}

async function signOut(parameters) {
  const config = await configure();
  const { tokens } = await signIn(browser, config);
  const usual = { id_token_hint: tokens.id_token, post_logout_redirect_uri: bye, state: "a state" };
  const asked = Object.entries({ ...usual, ...parameters(tokens) }).filter(([, value]) => value !== undefined);
  const url = new URL(config.serverMetadata().end_session_endpoint);
  url.search = new URLSearchParams(asked);
  const arrived = await browser.follow(url.href);
  const { active } = await client.tokenIntrospection(config, tokens.access_token);
  return { ...told(arrived), stays: await browser.isSignedIn(), active };
}

/** The signature of a token, with one character in its middle changed. */
function modified(token) {
  const at = token.length - 40;
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
}

async function backChannel() {
  const listener = createServer().listen(given.back_channel_port, "127.0.0.1");
  await once(listener, "listening");
  const notice = once(listener, "request").then(async ([request, response]) => {
    const body = await text(request);
    response.end();
    return { type: request.headers["content-type"], token: new URLSearchParams(body).get("logout_token") };
  });
  const config = await configure();
  const { claims, tokens } = await signIn(browser, config);
  await browser.follow(client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token }).href);
  const { type, token } = await notice;
  listener.close();
  const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
  const wanted = { issuer: given.issuer, audience: given.client_id, typ: "logout+jwt", requiredClaims: ["jti", "iat", "exp"] };
  const { payload } = await jwtVerify(token, keys, wanted);
  return { type, payload, claims, keys: Object.keys(payload).sort() };
}

async function metadata() {
  const config = await configure();
  const keys = await (await fetch(config.serverMetadata().jwks_uri)).json();
  return { metadata: config.serverMetadata(), keys: keys.keys };
}

const basic = {
  server: more({}),
  "response-type-missing": async () => told(await raw((sent) => sent.delete("response_type"))),
  "idtoken-signature": async () => {
    const { tokens } = await signIn(browser, await configure());
    return JSON.parse(Buffer.from(tokens.id_token.split(".")[0], "base64url"));
  },
  codereuse,
  "scope-address": () => scope("openid address"),
  "scope-all": () => scope("openid profile email address phone groups"),
  "scope-email": () => scope("openid email"),
  "scope-phone": () => scope("openid phone"),
  "scope-profile": () => scope("openid profile"),
  "ensure-other-scope-order-succeeds": () => scope("email openid"),
  "claims-essential": more({ claims: '{"userinfo":{"name":{"essential":true}}}' }),
  "claims-locales": more({ claims_locales: "se" }),
  "userinfo-get": () => userinfo((token) => ({ headers: bearer(token) })),
  "userinfo-post-header": () => userinfo((token) => ({ method: "POST", headers: bearer(token) })),
  "userinfo-post-body": () =>
    userinfo((token) => ({ method: "POST", body: new URLSearchParams({ access_token: token }) })),
  "display-page": more({ display: "page" }),
  "display-popup": more({ display: "popup" }),
  "ui-locales": more({ ui_locales: "se" }),
  "login-hint": more({ login_hint: "alice" }),
  "id-token-hint": async () => {
    const config = await configure();
    const first = await signIn(browser, config);
    const second = await signIn(browser, config, { prompt: "none", id_token_hint: first.tokens.id_token });
    return { first: first.claims, second: second.claims };
  },
  "prompt-login": () => again({ prompt: "login" }),
  "prompt-none-logged-in": () => again({ prompt: "none" }),
  "prompt-none-not-logged-in": async () => told(await raw((sent) => sent.set("prompt", "none"))),
  "max-age-1": () => again({ max_age: "1" }),
  "max-age-10000": () => again({ max_age: "10000" }),
  "ensure-post-request-succeeds": async () => {
    await signIn(browser, await configure());
    const { url } = await way(await configure());
    const foreign = { origin: "https://app.example.com", "sec-fetch-site": "cross-site" };
    const answer = await browser.ask(url.origin + url.pathname, url.searchParams, foreign);
    return told(await browser.follow(new URL(answer.headers.location, url).href));
  },
  "ensure-registered-redirect-uri": () => raw((sent) => sent.set("redirect_uri", callback + "/other")),
  "ensure-request-object-with-redirect-uri": async () => told(await raw((sent) => sent.set("request", "e30.e30."))),
  "unsigned-request-object-supported-correctly-or-rejected-as-unsupported": async () =>
    told(await raw((sent) => sent.set("request", "eyJhbGciOiJub25lIn0.e30."))),
  "request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": async () =>
    told(await raw((sent) => sent.set("request_uri", "https://app.example.com/request"))),
  "ensure-request-with-acr-values-succeeds": more({ acr_values: "urn:mace:incommon:iap:silver" }),
  "ensure-request-with-unknown-parameter-succeeds": more({ extra: "foobar" }),
  "ensure-request-with-valid-pkce-succeeds": more({}),
  "ensure-request-without-nonce-succeeds-for-code-flow": more({ nonce: undefined }),
  "refresh-token": refresh,
  "server-client-secret-post": async () => {
    const { claims } = await signIn(browser, await configure(client.ClientSecretPost(given.client_secret)));
    return { claims };
  },
};

const config = { "discovery-endpoint-verification": metadata };

const logout = {
  "rp-initiated-logout": () => signOut(() => ({})),
  "bad-post-logout-redirect-uri": () => signOut(() => ({ post_logout_redirect_uri: bye + "/other" })),
  "modified-id-token-hint": () => signOut((tokens) => ({ id_token_hint: modified(tokens.id_token) })),
  "bad-id-token-hint": () => signOut(() => ({ id_token_hint: "bad" })),
  "no-id-token-hint": () => signOut(() => ({ id_token_hint: undefined })),
  "no-params": () => signOut(() => ({ id_token_hint: undefined, post_logout_redirect_uri: undefined, state: undefined })),
  "no-post-logout-redirect-uri": () => signOut(() => ({ post_logout_redirect_uri: undefined })),
  "no-state": () => signOut(() => ({ state: undefined })),
  "only-state": () => signOut(() => ({ id_token_hint: undefined, post_logout_redirect_uri: undefined })),
  "query-added-to-post-logout-redirect-uri": () => signOut(() => ({ post_logout_redirect_uri: bye + "?a=b" })),
};

const back_channel = { "backchannel-rp-initiated-logout": backChannel };

const plans = { basic, config, logout, back_channel };
const [plan, module] = process.argv.slice(2);
console.log(JSON.stringify(await plans[plan][module]()));
