// An application made of openid-client, and the browser of somebody who uses it.

import { once } from "node:events";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import * as client from "openid-client";

export const given = JSON.parse(await text(process.stdin));
export const callback = "https://app.example.com/callback";
export const bye = "https://app.example.com/bye";

/** What the library makes of discovery, with a way for the client to prove who it is. */
export async function configure(prove = client.ClientSecretBasic(given.client_secret)) {
  const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
  return client.discovery(new URL(given.issuer), given.client_id, undefined, prove, { execute });
}

/** Where somebody answers; an application elsewhere is only come back to. */
const answering = [given.issuer, given.app];

export class Browser {
  /** By origin, for ports of one machine share theirs. */
  #cookies = {};

  /** One request as a browser sends it that opens a page, which fetch cannot; it follows nothing. */
  async ask(url, fields, headers = {}) {
    const { origin } = new URL(url);
    const kept = (this.#cookies[origin] ??= new Map());
    const cookie = [...kept].map(([name, value]) => `${name}=${value}`).join("; ");
    const form = fields && new URLSearchParams(fields).toString();
    const method = fields ? "POST" : "GET";
    const type = fields ? { "content-type": "application/x-www-form-urlencoded" } : {};
    const own = { cookie, origin, accept: "text/html", "sec-fetch-mode": "navigate", ...type };
    const sent = request(url, { method, headers: { ...own, ...headers } }).end(form);
    const [came] = await once(sent, "response");
    const answer = { status: came.statusCode, headers: came.headers, page: await text(came) };
    for (const line of came.headers["set-cookie"] ?? []) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (value) kept.set(name, value);
      else kept.delete(name);
    }
    return answer;
  }

  /** Follows an address, with the password wherever it is asked for: back to the application, or to a page that stays. */
  async follow(url) {
    for (let steps = 0; steps < 12; steps += 1) {
      const here = new URL(url);
      if (!answering.includes(here.origin)) return { back: here, ...Object.fromEntries(here.searchParams) };
      const answer = await this.ask(url);
      const to = answer.headers.location;
      if (to) url = new URL(to, url).href;
      else if (here.origin === given.issuer && here.searchParams.has("rd")) url = await this.#prove(here);
      else return { url, ...answer };
    }
    throw new Error(`a circle, at ${url}`);
  }

  async #prove(page) {
    const rd = page.searchParams.get("rd");
    const { username, password } = given;
    const name = page.pathname === "/login" ? { username } : {};
    const answer = await this.ask(page.origin + page.pathname, { ...name, password, rd });
    if (answer.status >= 400) throw new Error(answer.page);
    return new URL(rd, page).href;
  }

  async isSignedIn() {
    return (await this.ask(given.issuer + "/api/session")).status === 200;
  }
}

/** The way to the provider, and what the library checks when the browser comes back. */
export async function way(config, more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedNonce: client.randomNonce(), expectedState: client.randomState() };
  const asked = {
    redirect_uri: callback,
    scope: "openid profile email groups",
    nonce: checks.expectedNonce,
    state: checks.expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    ...more,
  };
  const url = client.buildAuthorizationUrl(config, asked);
  for (const [name, value] of Object.entries(asked)) {
    if (value === undefined) url.searchParams.delete(name);
  }
  if (asked.nonce === undefined) delete checks.expectedNonce;
  if (asked.max_age) checks.maxAge = Number(asked.max_age);
  return { url, checks: { ...checks, idTokenExpected: true } };
}

/** A whole sign-in, verified: its tokens, and what the id_token claims. */
export async function signIn(browser, config, more) {
  const { url, checks } = await way(config, more);
  const arrived = await browser.follow(url);
  if (!arrived.back) throw new Error(`a page stayed: ${arrived.status} ${arrived.page}`);
  const tokens = await client.authorizationCodeGrant(config, arrived.back, checks);
  return { arrived, checks, tokens, claims: tokens.claims() };
}

/** What the library says of an answer that it does not take, in the provider's words. */
export async function refused(promise) {
  try {
    await promise;
  } catch (failure) {
    return { error: failure.error ?? failure.code ?? failure.message, status: failure.status ?? null };
  }
  throw new Error("it was taken");
}
