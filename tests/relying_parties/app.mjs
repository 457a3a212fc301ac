// Somebody who uses a whole application of others. Its address, the pages that it has, and who uses it come on standard
// input; what was seen goes to standard output.

import { setTimeout as sleep } from "node:timers/promises";
import { Browser, given } from "./party.mjs";

const browser = new Browser();
const user = ({ status, page, headers }) => headers?.["x-user"] ?? `nobody: ${status} ${page}`;

/** Whether the application sends the browser to the provider. */
async function isAsked() {
  const answer = await browser.ask(given.page);
  return answer.status === 302 && answer.headers.location.startsWith(given.issuer);
}

const signedIn = user(await browser.follow(given.page));
const { url: left } = await browser.follow(given.signOut);
const both = [await isAsked(), await browser.isSignedIn()];

const signedInAgain = user(await browser.follow(given.page));
const before = await isAsked();
await browser.ask(given.issuer + "/logout", {});
const patience = Date.now() + 20_000;
while (!(await isAsked()) && Date.now() < patience) await sleep(50);

console.log(JSON.stringify({ signedIn, left, isAsked: both[0], isSignedIn: both[1], signedInAgain, before, after: await isAsked() }));
