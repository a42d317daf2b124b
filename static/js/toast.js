// Toasts and announcements. A server sends a toast as the event crm:toast in HX-Trigger.

const LIFE = { success: 6000, info: 6000, warning: 8000, error: 10000 }
const AT_MOST = 4

/** Show a toast: {category, title, description, action: {label, url, values} or {label, run}}. Returns its element. */
export function toast({ category = "info", title = "", description = "", action = null } = {}) {
  const toaster = document.getElementById("toaster")
  const template = document.getElementById(`crm-toast-${category}`) ?? document.getElementById("crm-toast-info")
  const element = template.content.firstElementChild.cloneNode(true)
  toaster.append(element)
  const text = element.querySelector("[data-toast-description]")
  // A live region speaks of what changes in it, so the words come after the element.
  requestAnimationFrame(() => {
    element.querySelector("[data-toast-title]").textContent = title
    text.textContent = description
    text.hidden = !description
  })
  if (action) addAction(element, action)
  start(element)
  const standing = [...toaster.querySelectorAll(".crm-toast:not([data-leaving])")]
  standing.slice(0, Math.max(0, standing.length - AT_MOST)).forEach(dismiss)
  return element
}

/** Say something to screen readers only. */
export function announce(words, { urgent = false } = {}) {
  const region = document.getElementById(urgent ? "crm-assertive" : "crm-polite")
  region.textContent = ""
  requestAnimationFrame(() => { region.textContent = words })
}

export function dismiss(element) {
  if (element.dataset.leaving !== undefined) return
  element.dataset.leaving = ""
  const remove = () => element.remove()
  element.addEventListener("transitionend", remove, { once: true })
  setTimeout(remove, 400)
}

function addAction(element, { label, url, values = {}, run }) {
  const button = element.querySelector("[data-toast-action]")
  button.textContent = label
  button.hidden = false
  button.addEventListener("click", async () => {
    button.disabled = true
    if (run) await run()
    else await htmx.ajax("POST", url, { source: document.body, values, swap: "none" })
    dismiss(element)
  })
}

/** Count down; the pointer or the focus on the toast stops the clock. */
function start(element) {
  let left = LIFE[element.dataset.category] ?? LIFE.info
  let since = 0
  let timer = 0
  const go = () => {
    clearTimeout(timer)
    since = Date.now()
    timer = setTimeout(() => dismiss(element), left)
  }
  const wait = () => {
    clearTimeout(timer)
    left = Math.max(1500, left - (Date.now() - since))
  }
  element.addEventListener("pointerenter", wait)
  element.addEventListener("pointerleave", go)
  element.addEventListener("focusin", wait)
  element.addEventListener("focusout", go)
  go()
}

document.addEventListener("click", (event) => {
  const close = event.target.closest("[data-toast-close]")
  if (close) dismiss(close.closest(".crm-toast"))
})
document.addEventListener("crm:toast", (event) => toast(event.detail))
document.querySelectorAll("#toaster > .crm-toast").forEach(start)
