// The shell: theme, rail, connection, small conveniences. Other modules import what they need from here.
import { confirm, openDialog } from "crm/dialogs"
import * as shortcuts from "crm/shortcuts"
import { text } from "crm/texts"
import { announce, dismiss, toast } from "crm/toast"
import "crm/htmx-errors"

export { announce, confirm, dismiss, openDialog, shortcuts, text, toast }

// Theme: the page shows it at once, the profile remembers it.
const themes = () => document.querySelectorAll("[data-theme-choice]")
function showTheme() {
  themes().forEach((item) => item.setAttribute("aria-checked", String(item.dataset.themeChoice === document.documentElement.dataset.theme)))
}
document.addEventListener("click", (event) => {
  const item = event.target.closest("[data-theme-choice]")
  if (!item) return
  document.documentElement.dataset.theme = item.dataset.themeChoice
  showTheme()
  const { themeUrl, name, language } = item.closest("[data-theme-url]").dataset
  htmx.ajax("POST", themeUrl, { source: item, values: { name, language, theme: item.dataset.themeChoice }, swap: "none" })
})
showTheme()

// The rail: narrow or wide, remembered by a cookie so that the server draws it right.
function toggleRail() {
  const narrow = document.body.dataset.rail !== "narrow"
  if (narrow) document.body.dataset.rail = "narrow"
  else delete document.body.dataset.rail
  document.cookie = `crm_rail=${narrow ? "narrow" : "wide"}; path=/; max-age=31536000; samesite=lax`
}
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-rail-toggle]")) toggleRail()
})

// The connection, as far as the browser knows; live.js adds what the socket knows.
function showConnection() {
  const banner = document.getElementById("crm-offline")
  if (!banner || banner.hidden === navigator.onLine) return
  banner.hidden = navigator.onLine
  if (navigator.onLine) announce(text("online"))
}
addEventListener("online", showConnection)
addEventListener("offline", showConnection)
showConnection()

document.addEventListener("click", async (event) => {
  if (event.target.closest("[data-reload]")) location.reload()

  const reveal = event.target.closest("[data-reveal]")
  if (reveal) {
    const input = reveal.parentElement.querySelector("input")
    const shown = input.type === "password"
    input.type = shown ? "text" : "password"
    reveal.setAttribute("aria-pressed", String(shown))
  }

  const copy = event.target.closest("[data-copy]")
  if (copy) {
    const source = copy.dataset.copy.startsWith("#") ? document.querySelector(copy.dataset.copy) : null
    const words = source ? (source.value ?? source.textContent.trim()) : copy.dataset.copy
    await navigator.clipboard.writeText(words)
    toast({ category: "success", title: text("copied") })
  }

  // A table row that leads somewhere: a click anywhere but on a control follows its link.
  const row = event.target.closest("[data-href]")
  if (row && !event.target.closest("a, button, input, label, select")) row.querySelector("a[href]")?.click()
})

// A file dropped or chosen names itself.
document.addEventListener("change", (event) => {
  const zone = event.target.closest(".crm-dropzone")
  if (zone && event.target.files?.length) zone.querySelector("[data-file-name]")?.replaceChildren(event.target.files[0].name)
})
for (const [name, over] of [["dragenter", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, (event) => event.target.closest?.(".crm-dropzone")?.toggleAttribute("data-over", over))
}

// A plain form is sent once.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method === "dialog") return
  const button = event.submitter
  if (button?.matches(".btn")) setTimeout(() => button.setAttribute("aria-busy", "true"))
})
addEventListener("pageshow", () => document.querySelectorAll('.btn[aria-busy="true"]').forEach((button) => button.removeAttribute("aria-busy")))

shortcuts.register({ key: "?", label: text("shortcut-help"), run: shortcuts.showSheet })
shortcuts.register({
  key: "/",
  label: text("shortcut-search"),
  run: () => document.querySelector('input[type="search"]')?.focus(),
  when: () => document.querySelector('input[type="search"]') !== null,
})
if (document.querySelector("[data-rail-toggle]")) {
  shortcuts.register({ key: "\\", label: text("shortcut-rail"), run: toggleRail })
}
