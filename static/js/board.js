// The board's page: opening leads, the keyboard, filters, more of a column, new leads, the phone's stages.
import { shortcuts, text, toast } from "crm/app"
import { apply, board, cardsIn, changed, columnOf, endOf, linkOf, listOf, parse, place } from "crm/cards"
import { address, adopt, current, outdate, remember, resync } from "crm/live"
import { makeSortable, openMenu } from "crm/moves"
import { complain, newId, send } from "crm/send"

const region = document.getElementById("board-region")
const panel = document.getElementById("panel")

// ── Opening a lead ─────────────────────────────────────────────────────────────────────────────

function open(card) {
  const { href } = linkOf(card)
  htmx.ajax("GET", href, { source: panel, target: panel, swap: "innerHTML", push: href })
}
// An empty panel that is busy shows a skeleton.
panel.addEventListener("htmx:beforeRequest", ({ detail }) => detail.elt === panel && panel.setAttribute("aria-busy", "true"))
panel.addEventListener("htmx:afterRequest", ({ detail }) => detail.elt === panel && panel.removeAttribute("aria-busy"))

region.addEventListener("click", (event) => {
  const card = event.target.closest(".crm-card")
  if (!card) return
  if (event.target.closest(".crm-card-menu")) {
    openMenu(card)
    return
  }
  const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button)
  if (!isPlain || String(getSelection())) return
  event.preventDefault()
  // The panel gives the focus back to where it was.
  linkOf(card).focus({ preventScroll: true })
  open(card)
})

/** Mark the card whose lead the panel shows. A card drawn anew meanwhile still gets the focus back. */
let opened = ""
function showOpen() {
  const shown = panel.querySelector("[data-lead]")?.dataset.lead
  const last = document.getElementById(`lead-${opened}`)
  if (!shown && last && document.activeElement === document.body) linkOf(last).focus({ preventScroll: true })
  opened = shown ?? ""
  for (const card of board().querySelectorAll("[data-open]")) card.removeAttribute("data-open")
  if (shown) document.getElementById(`lead-${shown}`)?.setAttribute("data-open", "")
}
new MutationObserver(showOpen).observe(panel, { childList: true })

// ── The keyboard: one stop for the whole board, arrows inside ──────────────────────────────────

const lists = () => [...document.querySelectorAll(".crm-column-cards")]
const focusedCard = () => document.activeElement?.closest?.(".crm-card") ?? null
let stop = "" // id of the card that Tab reaches

function stand(card) {
  document.getElementById(stop)?.querySelectorAll("a, button").forEach((part) => { part.tabIndex = -1 })
  stop = card?.id ?? ""
  card?.querySelectorAll("a, button").forEach((part) => { part.tabIndex = 0 })
}

region.addEventListener("focusin", (event) => {
  const card = event.target.closest(".crm-card")
  if (card && card.id !== stop) stand(card)
})
region.addEventListener("keydown", (event) => {
  const card = event.target.closest(".crm-card")
  if (!card || event.altKey || event.ctrlKey || event.metaKey) return
  const to = neighbour(card, event.key)
  if (to === undefined) return
  event.preventDefault()
  if (!to) return
  linkOf(to).focus({ preventScroll: true })
  to.scrollIntoView({ block: "nearest", inline: "nearest" })
})

function neighbour(card, key) {
  const cards = cardsIn(card.parentElement)
  const at = cards.indexOf(card)
  if (key === "ArrowDown") return cards[at + 1] ?? null
  if (key === "ArrowUp") return cards[at - 1] ?? null
  if (key === "Home") return cards[0]
  if (key === "End") return cards.at(-1)
  if (key !== "ArrowLeft" && key !== "ArrowRight") return undefined
  const columns = lists()
  const step = key === "ArrowRight" ? 1 : -1
  for (let column = columns.indexOf(card.parentElement) + step; columns[column]; column += step) {
    const others = cardsIn(columns[column])
    if (others.length) return others[Math.min(at, others.length - 1)]
  }
  return null
}

const group = text("board")
shortcuts.register({ key: "ArrowDown", shown: "← ↑ ↓ →", label: text("key-arrows"), group })
shortcuts.register({ key: "Enter", label: text("key-open"), group })
shortcuts.register({ key: "Escape", label: text("key-close"), group })
if (document.getElementById("board-move")) {
  shortcuts.register({ key: "m", label: text("key-move"), group, run: () => openMenu(focusedCard()), when: () => focusedCard() !== null })
}
if (document.getElementById("board-quick")) {
  shortcuts.register({ key: "c", label: text("key-new"), group, run: () => openQuick(columnInView()) })
}

// ── More of a column ───────────────────────────────────────────────────────────────────────────

const nearEnd = new Map()
function watchEnds() {
  for (const list of lists()) {
    if (!nearEnd.has(list)) {
      const watch = (entries) => entries.some((entry) => entry.isIntersecting) && more(list)
      nearEnd.set(list, new IntersectionObserver(watch, { root: list, rootMargin: "300px 0px" }))
    }
    const mark = list.querySelector("[data-more-mark]")
    nearEnd.get(list).disconnect()
    if (mark && !hasFailed(mark)) nearEnd.get(list).observe(mark)
  }
}

const failure = (mark) => mark.querySelector("[role=alert]")
const hasFailed = (mark) => !failure(mark).hidden
function showFailure(mark, isShown) {
  failure(mark).hidden = !isShown
}

async function more(list) {
  const mark = list.querySelector("[data-more-mark]")
  if (!mark || mark.hasAttribute("data-loading")) return
  mark.dataset.loading = ""
  showFailure(mark, false)
  const stage = columnOf(list).dataset.stage
  const asked = current()
  const values = { after: cardsIn(list).at(-1)?.dataset.p ?? "", per_column: board().dataset.perColumn }
  const answer = await send(address(board().dataset.column.replace("/0/", `/${stage}/`), values))
  delete mark.dataset.loading
  if (!answer.ok) {
    showFailure(mark, true)
    return
  }
  if (asked !== current() || !mark.isConnected) {
    watchEnds() // the column has changed meanwhile: what it needs now is another question
    return
  }
  mark.remove()
  const parts = [...parse(answer.html).children]
  parts.filter((part) => part.matches(".crm-card")).forEach((card) => place(card))
  const next = parts.find((part) => part.matches("[data-more-mark]"))
  if (next) list.insertBefore(next, endOf(list))
  changed()
}

region.addEventListener("click", (event) => {
  const button = event.target.closest("[data-more-button]")
  if (button) more(button.closest(".crm-column-cards"))
})

// ── New leads ──────────────────────────────────────────────────────────────────────────────────

function columnInView() {
  const focused = focusedCard()
  if (focused) return columnOf(focused)
  const start = board().getBoundingClientRect().left
  const columns = [...document.querySelectorAll(".crm-column")]
  return columns.find((column) => column.getBoundingClientRect().right > start + 140) ?? columns[0]
}

function openQuick(column) {
  const foot = column?.querySelector(".crm-column-foot")
  if (!foot) return
  document.getElementById("board-empty")?.remove()
  if (!foot.querySelector("form")) {
    closeQuick()
    foot.prepend(document.getElementById("board-quick").content.cloneNode(true))
    foot.querySelector("[data-quick-open]").hidden = true
  }
  column.scrollIntoView({ block: "nearest", inline: "nearest" })
  foot.querySelector("input").focus()
}

function closeQuick() {
  const form = board().querySelector("[data-quick]")
  if (!form) return
  const button = form.parentElement.querySelector("[data-quick-open]")
  const hadFocus = form.contains(document.activeElement)
  button.hidden = false
  form.remove()
  if (hadFocus) button.focus()
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-quick-open]")
  if (opener) openQuick(columnOf(opener) ?? columnInView())
  if (event.target.closest("[data-quick-close]")) closeQuick()
})
region.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest("[data-quick]")) {
    event.preventDefault()
    closeQuick()
  }
})
region.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-quick]")
  if (!form) return
  event.preventDefault()
  event.stopPropagation()
  if (form.hasAttribute("aria-busy")) return
  form.setAttribute("aria-busy", "true")
  const { stage } = columnOf(form).dataset
  const id = newId()
  const forget = remember(id)
  const answer = await send(address(board().dataset.create.replace("/0/", `/${stage}/`)), { values: new FormData(form), id })
  form.removeAttribute("aria-busy")
  if (!answer.ok) forget()
  if (answer.status === 422 && answer.html) {
    form.replaceWith(parse(answer.html))
    board().querySelector('[data-quick] [aria-invalid="true"]')?.focus()
  } else if (!answer.ok) {
    complain(answer)
  } else {
    outdate()
    apply(answer.html, { flash: true })
    listOf(stage).scrollTo({ top: 0 })
    if (answer.toast) toast(answer.toast)
    // Ready for the next one: leads often come in a row.
    form.replaceWith(document.getElementById("board-quick").content.cloneNode(true))
    board().querySelector("[data-quick] input")?.focus()
  }
})

// ── Filters ────────────────────────────────────────────────────────────────────────────────────

const isFilter = (event) => event.detail.target === region || event.detail.elt?.id === "board-filters"
let skeletonTimer = 0

// Text is filtered by as it is typed; that it "changed" when the focus leaves is no news.
region.addEventListener("change", (event) => {
  if (event.target.id === "board-q") event.stopPropagation()
}, true)
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!isFilter(event)) return
  panel.querySelector("[data-panel-close]")?.click()
  outdate()
  // Nothing flashes if the answer is quick.
  skeletonTimer = setTimeout(() => {
    board().setAttribute("aria-busy", "true")
    for (const list of lists()) list.replaceChildren(...Array.from({ length: 3 }, skeleton))
  }, 150)
})

function skeleton() {
  const item = document.createElement("li")
  item.className = "crm-skeleton"
  item.dataset.shape = "card"
  item.setAttribute("aria-hidden", "true")
  return item
}

document.addEventListener("htmx:afterRequest", (event) => {
  if (!isFilter(event)) return
  clearTimeout(skeletonTimer)
  if (event.detail.successful) return
  board().removeAttribute("aria-busy")
  resync({ soon: true })
})
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== region) return
  adopt()
  changed()
})

// ── The phone: one column a screen, and a chip for each ────────────────────────────────────────

region.addEventListener("click", (event) => {
  const chip = event.target.closest("#board-stages a")
  if (!chip) return
  event.preventDefault()
  document.getElementById(`stage-${chip.dataset.stage}`).scrollIntoView({ behavior: "smooth", inline: "start", block: "nearest" })
})
const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue
    for (const chip of document.querySelectorAll("#board-stages a")) {
      const isHere = chip.dataset.stage === target.dataset.stage
      if (isHere) chip.setAttribute("aria-current", "true")
      else chip.removeAttribute("aria-current")
      if (isHere) chip.parentElement.scrollTo({ left: chip.offsetLeft - 48, behavior: "smooth" })
    }
  }
}, { root: board(), threshold: 0.6 })

// ── After every change ─────────────────────────────────────────────────────────────────────────

region.addEventListener("animationend", (event) => {
  if (event.animationName === "crm-flash") event.target.removeAttribute("data-flash")
})

function refreshPage() {
  if (board().querySelector(".crm-card")) document.getElementById("board-empty")?.remove()
  makeSortable()
  watchEnds()
  showOpen()
  const standing = document.getElementById(stop)
  stand(standing?.matches(".crm-card") ? standing : board().querySelector(".crm-card"))
  for (const column of document.querySelectorAll(".crm-column")) inView.observe(column)
}
document.addEventListener("crm:board-changed", refreshPage)
refreshPage()
