// The HTTP interface of the service, and the token that it may ask for.

const KEY = "cnnctl-token";

/** A request that was refused, with the reason that the service gives. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const rememberToken = token => sessionStorage.setItem(KEY, token);

/** Take a token out of the address, where it would be seen and kept in the history. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  rememberToken(token);
  history.replaceState(null, "", location.pathname);
}

export const models = async () => (await (await request("/models")).json()).models;

/** The answer of a model to one input: a File, or anything that JSON holds. */
export async function predict(model, input, signal) {
  const response = await request(`/predict?model=${encodeURIComponent(model)}`, { ...body(input), signal });
  return (await response.json()).answers[0];
}

/** A picture of what a model looked at, and the class that it is for. */
export async function explain(model, input, signal) {
  const response = await request(`/explain?model=${encodeURIComponent(model)}`, { ...body(input), signal });
  const explained = decodeURIComponent(response.headers.get("cnnctl-explained") ?? "");
  return { picture: await response.blob(), explained };
}

function body(input) {
  if (!(input instanceof File)) {
    return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(input) };
  }
  const form = new FormData();
  form.append("files", input);
  return { method: "POST", body: form };
}

async function request(address, options = {}) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(KEY);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  let response;
  try {
    response = await fetch(address, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the service cannot be reached");
  }
  if (response.ok) return response;
  const refusal = await response.json().catch(() => ({}));
  throw new Refused(response.status, String(refusal.detail ?? response.statusText));
}
