// Dialogs, sheets, the side panel and the question before something that cannot be undone.
import { text } from "crm/texts"

export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal()
}

/** Ask before a destructive step. Resolves to true or false. */
export function confirm({ title, description = "", label = "", calm = false }) {
  const dialog = document.getElementById("crm-confirm")
  const about = dialog.querySelector("#crm-confirm-text")
  const yes = dialog.querySelector('button[value="yes"]')
  dialog.querySelector("#crm-confirm-title").textContent = title || text("confirm")
  about.textContent = description
  about.hidden = !description
  yes.textContent = label || text("confirm-yes")
  yes.dataset.variant = calm ? "primary" : "danger"
  dialog.returnValue = ""
  openDialog(dialog)
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true })
  })
}

function questionOf(element, title) {
  const { confirmDescription, confirmLabel, confirmCalm } = element.dataset
  return { title, description: confirmDescription, label: confirmLabel, calm: confirmCalm !== undefined }
}

// <button hx-confirm="Delete?" data-confirm-label="Delete 42 leads">
document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return
  event.preventDefault()
  confirm(questionOf(event.target, event.detail.question)).then((yes) => {
    if (yes) event.detail.issueRequest(true)
  })
})

// <form data-confirm="…"> or <button data-confirm="…"> without htmx
document.addEventListener("submit", (event) => {
  const source = event.submitter?.dataset.confirm ? event.submitter : event.target
  if (!source.dataset.confirm || event.target.dataset.confirmed !== undefined) return
  event.preventDefault()
  confirm(questionOf(source, source.dataset.confirm)).then((yes) => {
    if (!yes) return
    event.target.dataset.confirmed = ""
    event.target.requestSubmit(event.submitter)
    delete event.target.dataset.confirmed
  })
}, true)

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog-open]")
  if (opener) openDialog(document.getElementById(opener.dataset.dialogOpen))
  const closer = event.target.closest("[data-dialog-close]")
  if (closer) closer.closest("dialog")?.close()
  // A press on the backdrop lands on the dialog element itself.
  if (event.target instanceof HTMLDialogElement && event.target.matches(".dialog, .alert-dialog, .crm-sheet")) {
    const box = event.target.matches(".crm-sheet") ? event.target : event.target.firstElementChild
    const { left, right, top, bottom } = box.getBoundingClientRect()
    const outside = event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom
    if (outside && event.detail > 0) event.target.close()
  }
})

// The side panel: Esc closes it through its own close link; focus enters it and returns.
let before = null
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]:modal, [popover]:popover-open")) return
  if (document.querySelector('[aria-haspopup][aria-expanded="true"]')) return
  document.querySelector(".crm-panel [data-panel-close]")?.click()
})
document.addEventListener("htmx:beforeSwap", (event) => {
  const panel = event.detail.target?.closest?.(".crm-panel")
  if (panel && !panel.contains(document.activeElement)) before = document.activeElement
})
document.addEventListener("htmx:afterSettle", (event) => {
  const panel = event.target.closest?.(".crm-panel")
  if (!panel) return
  if (!panel.firstElementChild) {
    if (before?.isConnected) before.focus({ preventScroll: true })
    before = null
  } else if (!panel.contains(document.activeElement)) {
    const first = panel.querySelector("[autofocus], [data-panel-focus], h2")
    if (first && !first.matches("a, button, input, select, textarea, [tabindex]")) first.tabIndex = -1
    first?.focus({ preventScroll: true })
  }
})
