// The board's cards in the page: where each belongs, and how fragments of the server get there.
//
// What is loaded of a column is always its beginning. A card's data-p is its key in the column, and keys compare
// as text; so a card that arrives finds its place without asking for a neighbour, and one that belongs below what
// is loaded stays out.

export const board = () => document.getElementById("board")
export const listOf = (stage) => document.getElementById(`stage-${stage}-cards`)
export const columnOf = (element) => element.closest(".crm-column")
export const cardsIn = (list) => [...list.children].filter((child) => child.matches(".crm-card:not(.crm-fly)"))
export const idOf = (card) => Number(card.id.slice("lead-".length))
export const linkOf = (card) => card.querySelector("a")

/** Tell the rest of the page that cards came, went or changed places. */
export function changed() {
  board().dispatchEvent(new CustomEvent("crm:board-changed", { bubbles: true }))
}

export function parse(html) {
  const template = document.createElement("template")
  template.innerHTML = html
  return template.content
}

/** Bring in fragments: cards, marks of cards that are gone, headers. With `flash`, changed cards light up. */
export function apply(html, { flash = false } = {}) {
  for (const part of [...parse(html).children]) {
    if (part.matches(".crm-card")) place(part, { flash })
    else if (part.hasAttribute("data-gone")) drop(document.getElementById(part.id))
    else if (part.matches(".crm-column-header")) showHeader(part)
  }
  changed()
}

/** Put a card from the server where it belongs: in place, elsewhere, or out of what is loaded. */
export function place(card, { flash = false } = {}) {
  const present = document.getElementById(card.id)
  if (present && Number(present.dataset.v) > Number(card.dataset.v)) return
  const list = listOf(card.dataset.stage)
  const next = list && cardsIn(list).find((other) => other !== present && other.dataset.p > card.dataset.p)
  if (!list || (!next && list.querySelector("[data-more-mark]"))) {
    drop(present)
    return
  }
  const before = next ?? endOf(list)
  const shown = present ?? card
  if (present) Idiomorph.morph(present, card)
  if (shown.parentElement !== list || nextCard(shown) !== (next ?? null)) putBefore(list, shown, before)
  if (flash) shown.dataset.flash = ""
}

/** Move a card in the page and leave the focus where it is. */
export function putBefore(list, card, before) {
  const focused = card.contains(document.activeElement) ? document.activeElement : null
  if (list.moveBefore && card.isConnected) list.moveBefore(card, before)
  else list.insertBefore(card, before)
  if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true })
}

/** The place right behind the last card. (A card dropped into an empty column may stand behind what is no card.) */
export function endOf(list) {
  const last = cardsIn(list).at(-1)
  return last ? last.nextElementSibling : list.firstElementChild
}

/** Take a card away; the focus goes to the card that takes its place. */
export function drop(card) {
  if (!card) return
  const heir = card.contains(document.activeElement) ? nextCard(card) ?? previousCard(card) : null
  card.remove()
  if (heir) linkOf(heir).focus({ preventScroll: true })
}

export function nextCard(card) {
  const next = card.nextElementSibling
  return next?.matches(".crm-card") ? next : null
}

export function previousCard(card) {
  const previous = card.previousElementSibling
  return previous?.matches(".crm-card") ? previous : null
}

/** Show a column's new totals, in its header and on its chip. */
export function showHeader(header) {
  const present = document.getElementById(header.id)
  if (!present) return
  Idiomorph.morph(present, header)
  const chip = document.querySelector(`#board-stages [data-stage="${columnOf(document.getElementById(header.id)).dataset.stage}"] .crm-num`)
  if (chip) chip.textContent = header.querySelector("[data-count-text]").textContent
}

/** Count a card from one column to another before the server has said so. Returns how to take it back. */
export function countOptimistically(from, to) {
  if (from === to) return () => {}
  const shown = [[from, -1], [to, 1]].map(([column, by]) => {
    const place = column.querySelector("[data-count-text]")
    const before = place.textContent
    const count = Number(column.querySelector(".crm-column-header").dataset.count) + by
    place.textContent = count.toLocaleString(document.documentElement.lang)
    return [place, before]
  })
  return () => shown.forEach(([place, before]) => { place.textContent = before })
}

/** Let a card glide from where it was on the screen to where it is now. */
export function glide(card, from) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return
  const to = card.getBoundingClientRect()
  const [x, y] = [from.left - to.left, from.top - to.top]
  if (x || y) card.animate([{ translate: `${x}px ${y}px`, zIndex: 1 }, { translate: "0 0", zIndex: 1 }], { duration: 180, easing: "ease-out" })
}
