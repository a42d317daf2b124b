// One registry of keys: what is registered works and stands on the sheet that `?` opens.
import { openDialog } from "crm/dialogs"
import { text } from "crm/texts"

const OFF = "crm:shortcuts-off"
const registry = []

/**
 * Register a key. `key` is KeyboardEvent.key ("?", "c", "ArrowLeft"), `alt`, `ctrl` and `shift` say modifiers,
 * `label` is what the sheet says, `group` its heading, `when` a condition, `run` gets the event.
 * `shown` replaces the key on the sheet. With `run: null` the key is only listed: its owner handles it.
 */
export function register({ key, label, run = null, group = text("general"), when = null, alt = false, ctrl = false, shown = null }) {
  registry.push({ key, label, run, group, when, alt, ctrl, shown })
}

export function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]:not([contenteditable='false'])") !== null
}

function isOff() {
  return localStorage.getItem(OFF) === "yes"
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || isTyping(event.target) || document.querySelector("dialog[open]:modal")) return
  const entry = registry.find(
    (each) =>
      each.run &&
      each.key.toLowerCase() === event.key.toLowerCase() &&
      each.alt === event.altKey &&
      each.ctrl === (event.ctrlKey || event.metaKey) &&
      (!each.when || each.when(event)),
  )
  if (!entry) return
  const single = entry.key.length === 1 && !entry.alt && !entry.ctrl
  if (single && isOff()) return
  event.preventDefault()
  entry.run(event)
})

export function showSheet() {
  const dialog = document.getElementById("crm-shortcuts")
  const place = dialog.querySelector("[data-shortcuts]")
  place.replaceChildren(...Object.entries(Object.groupBy(registry, (each) => each.group)).map(section))
  dialog.querySelector("[data-shortcuts-off]").checked = isOff()
  openDialog(dialog)
}

function section([name, entries]) {
  const part = document.createElement("div")
  const heading = document.createElement("h3")
  heading.className = "crm-heading"
  heading.textContent = name
  const list = document.createElement("dl")
  for (const entry of entries) {
    const what = document.createElement("dt")
    what.textContent = entry.label
    const keys = document.createElement("dd")
    for (const part of keysOf(entry)) {
      const key = document.createElement("kbd")
      key.className = "crm-kbd"
      key.textContent = part
      keys.append(key, " ")
    }
    list.append(what, keys)
  }
  part.append(heading, list)
  return part
}

function keysOf({ key, alt, ctrl, shown }) {
  const names = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "␣" }
  const last = shown ? shown.split(" ") : [names[key] ?? key]
  return [...(ctrl ? ["Ctrl"] : []), ...(alt ? ["Alt"] : []), ...last]
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-shortcuts-off]")) localStorage.setItem(OFF, event.target.checked ? "yes" : "no")
})
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-shortcuts-open]")) showSheet()
})
