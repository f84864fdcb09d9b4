// Signing in at an issuer of tokens: OpenID Connect, code flow with PKCE (RFC 7636), for a page without a secret.
// Tokens are in this page's memory alone; what must outlive the way to the issuer and back is in the tab's session.
import { SETTINGS, setAuthorization } from "./api.js";

const WAY = "aftersend-sign-in"; // in the tab's session: what was asked of the issuer, and where to go on
const EARLY = 30_000; // milliseconds before the end of a token in which a new one is fetched

let tokens = null;
let renewing = null;

// Resolves to true once whoever is here has signed in. Otherwise the browser is on its way to the issuer.
export async function signIn() {
  setAuthorization({ give: giveHeaders, renew: leave });
  const answer = new URLSearchParams(location.search);
  const asked = JSON.parse(sessionStorage.getItem(WAY) ?? "null");
  sessionStorage.removeItem(WAY);
  if (!answer.has("state")) return leave();
  if (!asked || answer.get("state") !== asked.state) return leave(); // it is no answer to what this tab has asked
  if (answer.has("error")) throw new Error(answer.get("error_description") ?? answer.get("error"));
  history.replaceState(null, "", `${location.pathname}${asked.hash}`);
  tokens = await fetchTokens({ grant_type: "authorization_code", code: answer.get("code"), redirect_uri: here(), code_verifier: asked.verifier });
  return true;
}

export function signOut() {
  tokens = null;
  if (!SETTINGS["end-session"]) return location.replace(here());
  const query = { client_id: SETTINGS["client-id"], logout_uri: here(), post_logout_redirect_uri: here() };
  return location.assign(`${SETTINGS["end-session"]}?${new URLSearchParams(query)}`);
}

async function giveHeaders() {
  if (tokens && Date.now() > tokens.until - EARLY) {
    renewing ??= renew().finally(() => { renewing = null; });
    await renewing;
  }
  return tokens ? { Authorization: `Bearer ${tokens.access}` } : {};
}

async function renew() {
  try {
    tokens = await fetchTokens({ grant_type: "refresh_token", refresh_token: tokens.refresh });
  } catch {
    await leave();
  }
}

async function fetchTokens(given) {
  const body = new URLSearchParams({ client_id: SETTINGS["client-id"], ...given });
  const answer = await fetch(SETTINGS.token, { method: "POST", body, cache: "no-store", credentials: "omit" });
  if (!answer.ok) throw new Error(`the issuer answers ${answer.status}`);
  const found = await answer.json();
  return {
    access: found.access_token,
    refresh: found.refresh_token ?? given.refresh_token,
    until: Date.now() + 1000 * (found.expires_in ?? 300),
  };
}

// Goes to the issuer, which asks nobody who is signed in there; never resolves, because the page is left.
async function leave() {
  const verifier = random();
  const state = random();
  sessionStorage.setItem(WAY, JSON.stringify({ verifier, state, hash: location.hash }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(`${SETTINGS.authorize}?${new URLSearchParams({
    response_type: "code",
    client_id: SETTINGS["client-id"],
    redirect_uri: here(),
    scope: SETTINGS.scope,
    state,
    code_challenge: encode(new Uint8Array(digest)),
    code_challenge_method: "S256",
  })}`);
  return new Promise(() => {});
}

const here = () => `${location.origin}${location.pathname}`;
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));
const encode = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
