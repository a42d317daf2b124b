// A lead, in the panel beside the board or on its own page: editing in place, notes, staying up to date.
// The pages of a contact and of a company, and my day with its follow-ups, work the same way.

const ROOTS = "#lead-panel, #lead-page, #contact-page, #company-page, #day-page"
const root = () => document.querySelector(ROOTS)
const panel = () => document.getElementById("panel")

// Editing in place. What stood there before a field opened, so that Esc can put it back.
const before = new WeakMap()
let focusAfter = ""

document.addEventListener("htmx:beforeSwap", (event) => {
  const place = event.detail.target
  if (place?.matches?.("[data-fact]") && !place.querySelector("[data-fact-form]")) remember(place)
})

function remember(place) {
  before.set(place, { html: place.innerHTML, text: place.textContent })
}
function cancel(form) {
  const place = form.closest("[data-fact]")
  place.innerHTML = before.get(place)?.html ?? ""
  place.querySelector(".htmx-request")?.classList.remove("htmx-request")
  htmx.process(place)
  place.querySelector("button")?.focus()
  release()
}

document.addEventListener("click", (event) => {
  const form = event.target.closest("[data-fact-cancel]")?.closest("[data-fact-form]")
  if (form) cancel(form)
})
document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-fact-form]")
  if (form && event.key === "Escape") {
    event.preventDefault()
    event.stopPropagation()
    cancel(form)
  }
  // A choice does not send its form by itself.
  if (form && event.key === "Enter" && event.target.matches("select")) {
    event.preventDefault()
    form.requestSubmit()
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest?.("[data-note-form]")) {
    event.preventDefault()
    event.target.form.requestSubmit()
  }
}, true)

// While something is being typed, nothing that others do may replace it.
let missed = false
const isTyping = () => Boolean(root()?.querySelector("[data-fact-form], dialog[open]")) || Boolean(noteField()?.value || planField()?.value)
const noteField = () => root()?.querySelector("[data-note-form] textarea")
const planField = () => root()?.querySelector("[data-step-form] [name=title]")

function lock() {
  const isLocked = isTyping()
  root()?.toggleAttribute("data-live-lock", isLocked)
  return isLocked
}
function release() {
  if (!lock() && missed) refresh()
}
document.addEventListener("input", (event) => {
  if (event.target.closest("[data-step-form]")) release()
  if (!event.target.closest("[data-note-form]")) return
  drafts.set(root().dataset.lead, event.target.value)
  release()
})
document.addEventListener("close", (event) => { if (event.target.closest(ROOTS)) release() }, true)
document.addEventListener("click", (event) => { if (event.target.closest("[data-dialog-open]")) lock() })

function refresh() {
  const here = root()
  if (!here) return
  missed = isTyping()
  if (missed) return
  const { url, version = "" } = here.dataset
  htmx.ajax("GET", `${url}${url.includes("?") ? "&" : "?"}seen=${version}`, { source: here, target: here, swap: "morph" })
}
document.body.addEventListener("crm:lead-changed", (event) => {
  if (event.detail.ids?.map(String).includes(root()?.dataset.lead)) refresh()
})
// Something was undone from a toast: whatever shows it asks again.
document.body.addEventListener("crm:record-changed", refresh)
// What was done leaves nothing planned: the form for the next step opens by itself.
let isAsking = false
document.body.addEventListener("crm:ask-next", () => { isAsking = true })
// The page alone has no socket: it looks again when somebody comes back to it.
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh() })
// A move is answered with what the board needs, and a toast's undo with nothing: the lead asks again for itself.
document.addEventListener("htmx:afterRequest", (event) => {
  const { verb, path } = event.detail.requestConfig
  const here = root()
  if (verb === "get" || !here || !path.includes(`/leads/${here.dataset.lead}/`)) return
  if (event.target.matches?.("[data-lead-move]") || !here.contains(event.target)) refresh()
})

// Saved: where the focus goes on, and that a sent note is not a draft any more. Drafts outlive a closed panel.
const drafts = new Map()
let open = []
let plan = null
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.target?.matches?.(ROOTS) || !event.detail.shouldSwap) return
  const asked = event.detail.requestConfig.elt
  focusAfter = asked.matches("[data-fact-form]") ? asked.closest("[data-fact]").id : asked.matches("[data-step-finish]") ? "steps" : ""
  if (asked.matches("[data-note-form]")) {
    drafts.delete(root().dataset.lead)
    asked.reset()
  }
  if (asked.matches("[data-step-form]")) asked.reset()
  plan = planField()?.value ? planField().form : null
  plan?.remove()
  asked.closest("dialog")?.close()
  // Another field that is open keeps what is typed into it.
  open = [...root().querySelectorAll("[data-fact-form]")].filter((form) => form !== asked).map((form) => [form.closest("[data-fact]").id, form])
  for (const [id, form] of open) {
    form.dataset.was = before.get(document.getElementById(id))?.text ?? ""
    form.remove()
  }
})
document.addEventListener("htmx:afterSettle", (event) => {
  if (!event.target.matches?.(`${ROOTS}, [data-fact], #panel`)) return
  for (const [id, form] of open.splice(0)) putBack(document.getElementById(id), form)
  const note = noteField()
  if (note && !note.value) note.value = drafts.get(root().dataset.lead) ?? ""
  const empty = root()?.querySelector("[data-step-form]")
  if (plan && empty) {
    empty.replaceWith(plan)
    htmx.process(plan)
    plan.closest("details").open = true
  }
  plan = null
  if (focusAfter) document.getElementById(focusAfter)?.querySelector("button")?.focus({ preventScroll: true })
  focusAfter = ""
  if (isAsking && planField()) {
    planField().closest("details").open = true
    // What a closed <details> held cannot take the focus before the next frame.
    requestAnimationFrame(() => planField()?.focus())
  }
  isAsking = false
  showTitle()
  showTags()
  release()
})

/** Open a field again. If the fact is what it was, its form goes on from the newest version; else a save is a conflict. */
function putBack(place, form) {
  if (!place) return
  remember(place)
  if (form.dataset.ownVersion === undefined && place.textContent === form.dataset.was) form.elements.version.value = root().dataset.version
  place.replaceChildren(form)
  htmx.process(form)
}

/** The page's own title stands outside of what is swapped. */
function showTitle() {
  const title = document.querySelector("#lead-page h2")?.innerText.trim()
  const places = [...document.querySelectorAll("[data-lead-title]")]
  if (!title || !places.length) return
  document.title = document.title.replace(places[0].textContent, title)
  for (const place of places) place.textContent = title
}

// Tags in use: a press writes the name into the field, another takes it out.
const names = (input) => input.value.split(",").map((name) => name.trim()).filter(Boolean)
const isSame = (one, other) => one.toLowerCase() === other.toLowerCase()
const tagInput = (element) => element.closest("form")?.querySelector("[data-tags]")

function showTags() {
  for (const chip of document.querySelectorAll("[data-tag]")) {
    const input = tagInput(chip)
    chip.setAttribute("aria-pressed", String(names(input).some((name) => isSame(name, chip.dataset.tag))))
  }
}
document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-tag]")
  if (!chip) return
  const input = tagInput(chip)
  const rest = names(input).filter((name) => !isSame(name, chip.dataset.tag))
  input.value = (rest.length === names(input).length ? [...rest, chip.dataset.tag] : rest).join(", ")
  showTags()
})
document.addEventListener("input", (event) => { if (event.target.matches("[data-tags]")) showTags() })
showTags()

// The panel closes back to the board's address, and the browser's Back does the same, without a reload.
let home = ""
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === panel() && !panel().firstElementChild) home = location.pathname + location.search
})
function close({ push }) {
  panel().replaceChildren()
  if (push) history.pushState({ htmx: true }, "", home)
  htmx.trigger(panel(), "htmx:afterSettle", { elt: panel() })
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-panel-close]")
  if (!link || !home || !link.closest("#panel") || event.ctrlKey || event.metaKey || event.button) return
  event.preventDefault()
  close({ push: true })
})
addEventListener("popstate", (event) => {
  if (!panel() || !home) return
  const address = location.pathname + location.search
  if (address === home) {
    event.stopImmediatePropagation()
    close({ push: false })
  } else if (/\/leads\/\d+\/$/.test(location.pathname)) {
    event.stopImmediatePropagation()
    htmx.ajax("GET", address, { source: panel(), target: panel(), swap: "innerHTML" })
  }
}, true)
