// Requests that the board makes itself: with an id by which its own echo is known, and with the server's toast.
import { toast } from "crm/app"
import { text } from "crm/texts"

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))

/** Make an id for a request. (crypto.randomUUID does not exist on plain http.) */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}

/**
 * Send a request. Resolves to {ok, status, html, toast}; status 0 means that there was no answer.
 * An answer that sends the person elsewhere (signed out) is followed.
 */
export async function send(url, { values = null, id = newId(), timeout = 20000 } = {}) {
  const headers = { "HX-Request": "true", "X-Request-ID": id }
  const options = { headers, signal: AbortSignal.timeout(timeout) }
  if (values) {
    Object.assign(headers, csrf())
    options.method = "POST"
    options.body = values instanceof FormData ? values : new URLSearchParams(values)
  }
  let response
  let html
  try {
    response = await fetch(url, options)
    html = await response.text()
  } catch {
    return { ok: false, status: 0, html: "", toast: null }
  }
  const elsewhere = response.headers.get("HX-Redirect")
  if (elsewhere) location.assign(elsewhere)
  const events = JSON.parse(response.headers.get("HX-Trigger") ?? "{}")
  return { ok: response.ok, status: response.status, html, toast: events["crm:toast"] ?? null }
}

/** Say why a request failed: in the server's words if there are any. */
export function complain(answer, description = "") {
  const said = answer.toast ?? (answer.status
    ? { category: "error", title: text(String(answer.status)) || text("error") }
    : { category: "error", title: text("network") })
  toast({ ...said, description: said.description || description })
}
