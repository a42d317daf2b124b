// Moving cards: by mouse and touch, by the menu on each card, and back again by undo.
import { text, toast } from "crm/app"
import { apply, board, cardsIn, columnOf, countOptimistically, endOf, glide, idOf, linkOf, listOf, previousCard, putBefore } from "crm/cards"
import { address, lock, outdate, refresh, remember, resync } from "crm/live"
import { complain, newId, send } from "crm/send"

const SMOOTH = 30 // cards in a list up to which Sortable may animate them

const mayMove = () => board().hasAttribute("data-may-move")
const moveUrl = (card) => board().dataset.move.replace("/0/", `/${idOf(card)}/`)
const sortables = () => [...document.querySelectorAll(".crm-column-cards")].map((list) => Sortable.get(list)).filter(Boolean)

// ── Dragging ───────────────────────────────────────────────────────────────────────────────────

/** Make the lists sortable that are not yet. Never during a drag. */
export function makeSortable() {
  if (!mayMove() || Sortable.active) return
  for (const list of document.querySelectorAll(".crm-column-cards")) {
    if (!Sortable.get(list)) new Sortable(list, OPTIONS)
  }
}

let origin = null

const OPTIONS = {
  group: "board",
  draggable: ".crm-card",
  filter: "button, input",
  preventOnFilter: false,
  delay: 250,
  delayOnTouchOnly: true,
  touchStartThreshold: 5,
  // One way of dragging everywhere; the browser's own does not scroll under a finger.
  forceFallback: true,
  fallbackOnBody: true,
  fallbackTolerance: 5,
  fallbackClass: "crm-fly",
  ghostClass: "crm-ghost",
  scrollSensitivity: 80,
  scrollSpeed: 14,
  bubbleScroll: true,
  onStart({ item, from }) {
    origin = { list: from, next: item.nextElementSibling }
    // The flying copy has the card's id: an update would hit the copy.
    document.querySelectorAll('body > [id^="lead-"]').forEach((copy) => copy.removeAttribute("id"))
    mark(from)
    const smooth = matchMedia("(hover: hover)").matches && [...document.querySelectorAll(".crm-column-cards")].every((list) => list.children.length <= SMOOTH + 2)
    sortables().forEach((sortable) => sortable.option("animation", smooth ? 150 : 0))
  },
  onMove: ({ to }) => mark(to),
  onAdd: dropped,
  onUpdate: dropped,
  onEnd: () => mark(null),
}

function mark(list) {
  for (const column of document.querySelectorAll(".crm-column[data-target]")) column.removeAttribute("data-target")
  if (list) columnOf(list).dataset.target = ""
}

function dropped({ item }) {
  const { list, next } = origin
  save(item, { from: list, putBack: () => putBefore(list, item, next?.parentElement === list ? next : endOf(list)) })
}

// ── Saving ─────────────────────────────────────────────────────────────────────────────────────

/** Save where a card now is. Refused: it goes back exactly to where it was, and a toast says why. */
async function save(card, { from, putBack }) {
  const unlock = lock()
  sortables().forEach((sortable) => sortable.option("disabled", true))
  const column = columnOf(card)
  const uncount = countOptimistically(columnOf(from), column)
  card.dataset.optimistic = ""
  const values = { stage: column.dataset.stage, after: previousCard(card) ? idOf(previousCard(card)) : "", version: card.dataset.v }
  const answer = await post(moveUrl(card), values)
  delete card.dataset.optimistic
  if (!answer.ok) {
    const here = card.getBoundingClientRect()
    uncount()
    putBack()
    glide(card, here)
    complain(answer, text("put-back"))
  }
  sortables().forEach((sortable) => sortable.option("disabled", false))
  if (!answer.ok) catchUp(answer, [idOf(card)], [column.dataset.stage, columnOf(from).dataset.stage])
  unlock()
}

/** Send a move and show what the server says came of it. */
async function post(url, values) {
  const id = newId()
  const forget = remember(id)
  const answer = await send(address(url), { values, id })
  if (answer.ok) {
    outdate()
    apply(answer.html)
    if (answer.toast) toast(withUndo(answer.toast))
  } else forget()
  return answer
}

/** After a refusal, learn what is true now; without an answer it may even have been done. */
function catchUp({ status }, ids, stages) {
  if (status) refresh(ids, stages, { quietly: true })
  else resync({ soon: true })
}

/** Let the button of a toast take a move back and show it here. */
function withUndo(said) {
  if (!said.action) return said
  const { label, url, values } = said.action
  return { ...said, action: { label, run: () => undo(url, values) } }
}

async function undo(url, values) {
  const card = document.getElementById(`lead-${url.match(/(\d+)\/move\/$/)[1]}`)
  const here = card?.getBoundingClientRect()
  const unlock = lock()
  const answer = await post(url, values)
  if (!answer.ok) {
    complain(answer)
    if (card) catchUp(answer, [idOf(card)], [values.stage, card.dataset.stage])
  } else if (card?.isConnected) glide(card, here)
  unlock()
}

// ── The menu ───────────────────────────────────────────────────────────────────────────────────

const menu = () => document.getElementById("board-move")
let chosen = null // the card whose menu is open

/** Open "Move to…" for a card, beside its button. */
export function openMenu(card) {
  if (!mayMove() || !card) return
  chosen = card
  const button = card.querySelector(".crm-card-menu")
  for (const item of menu().querySelectorAll("[data-to]")) {
    const isHere = item.dataset.to === card.dataset.stage
    item.disabled = isHere && !previousCard(card)
    item.querySelector("[data-here]").hidden = !isHere || item.disabled
    item.querySelector("[data-top]").hidden = !item.disabled
  }
  menu().showPopover()
  const { left, right, bottom, top } = button.getBoundingClientRect()
  const { offsetWidth: width, offsetHeight: height } = menu()
  menu().style.left = `${Math.max(12, Math.min(right - width, innerWidth - width - 12), Math.min(left, innerWidth - width - 12) - width)}px`
  menu().style.top = `${bottom + 4 + height < innerHeight ? bottom + 4 : Math.max(12, top - height - 4)}px`
  button.setAttribute("aria-expanded", "true")
  items()[0]?.focus()
}

const items = () => [...menu().querySelectorAll("[data-to]:not(:disabled)")]

function moveByMenu(card, stage) {
  const from = card.parentElement
  const next = card.nextElementSibling
  const here = card.getBoundingClientRect()
  const list = listOf(stage)
  const top = cardsIn(list).find((other) => other !== card)
  putBefore(list, card, top ?? endOf(list))
  glide(card, here)
  card.scrollIntoView({ block: "nearest", inline: "nearest" })
  linkOf(card).focus({ preventScroll: true })
  save(card, { from, putBack: () => putBefore(from, card, next?.parentElement === from ? next : endOf(from)) })
}

if (menu()) {
  menu().addEventListener("click", (event) => {
    const item = event.target.closest("[data-to]")
    if (!item) return
    const card = chosen
    menu().hidePopover()
    if (card?.isConnected) moveByMenu(card, item.dataset.to)
  })
  menu().addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return
    const button = chosen?.querySelector(".crm-card-menu")
    button?.removeAttribute("aria-expanded")
    if (chosen && (document.activeElement === document.body || menu().contains(document.activeElement))) linkOf(chosen).focus({ preventScroll: true })
    chosen = null
  })
  menu().addEventListener("keydown", (event) => {
    const all = items()
    const at = all.indexOf(document.activeElement)
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key]
    if (to === undefined) {
      if (event.key === "Tab") menu().hidePopover()
      return
    }
    event.preventDefault()
    all[(to + all.length) % all.length].focus()
  })
}
