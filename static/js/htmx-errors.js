// What htmx must know about this site: how to morph, and that no failure is silent.
import { toast } from "crm/toast"
import { text } from "crm/texts"

// Morphing keeps what a person types, and the flags by which Basecoat knows its own widgets.
const KEPT = /^(data-.*-initialized|data-basecoat-component|aria-expanded|aria-hidden|aria-activedescendant)$/
Idiomorph.defaults.ignoreActiveValue = true
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => !KEPT.test(name)

let saidAt = 0
function complain(title, description) {
  // One broken connection fails many requests at once: say it once.
  if (Date.now() - saidAt < 1500) return
  saidAt = Date.now()
  toast({ category: "error", title, description })
}

const isQuiet = (event) => event.detail.elt?.closest?.("[data-quiet]") !== null && event.detail.elt?.closest !== undefined
const header = (event, name) => event.detail.xhr?.getResponseHeader(name) ?? ""

// An error may still bring something to show, if the server says where and how.
document.addEventListener("htmx:beforeSwap", (event) => {
  const how = header(event, "HX-Reswap")
  if (event.detail.xhr.status >= 400 && how && how !== "none") event.detail.shouldSwap = true
})

document.addEventListener("htmx:responseError", (event) => {
  if (header(event, "HX-Trigger").includes("crm:toast") || isQuiet(event)) return
  const { status } = event.detail.xhr
  const known = text(String(status))
  if (known) complain(known, "")
  else complain(text("error"), text("error-hint"))
})
document.addEventListener("htmx:sendError", (event) => {
  if (!isQuiet(event)) complain(text("network"), text("network-hint"))
})
document.addEventListener("htmx:timeout", (event) => {
  if (!isQuiet(event)) complain(text("timeout"), text("timeout-hint"))
})
for (const name of ["htmx:oobErrorNoTarget", "htmx:targetError", "htmx:swapError", "htmx:invalidPath"]) {
  document.addEventListener(name, (event) => console.error(name, event.detail))
}

// A form that comes back with errors takes the focus to the first of them.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.xhr?.status !== 422) return
  event.target.querySelector?.('[aria-invalid="true"]')?.focus()
})
