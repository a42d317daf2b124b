// The board, live: the socket whispers which leads changed, the page asks for what this person may see of them.
//
// Announcements of a board are numbered, within an epoch. A number that is missing, another epoch, a new connection
// or a long absence mean that something may have been missed: then all columns are drawn anew (resync).
import { announce, text, toast, dismiss } from "crm/app"
import { apply, board, cardsIn, changed, drop, listOf, parse, showHeader } from "crm/cards"
import { send } from "crm/send"

const BATCH = 150
const MOST_IDS = 100
const SILENCE = 60000 // the server says something every 25 s
const STALE = 60000
const AWAY = 30000
const LONGEST_LOCK = 60000
const NOT_ALLOWED = 4403
const COME_AGAIN = 4408

let epoch = ""
let number = 0
let generation = 0 // of what the page shows: an answer to an older question is not shown
let locks = 0
let busySince = 0
const own = []
const pending = new Set()
const stages = new Set()

let pulling = false
let pulledAt = 0
let pullTimer = 0
let resyncing = false
let resyncWanted = false
let resyncTimer = 0
let failures = 0
let held = []
let lastToast = null
let quiet = false

let socket = null
let attempts = 0
let lostAt = 0
let retryTimer = 0
let silenceTimer = 0
let leaving = false

// ── What the board tells us ────────────────────────────────────────────────────────────────────

/** Hold updates back until the returned function is called. */
export function lock() {
  locks += 1
  return () => {
    locks -= 1
    settle()
  }
}

/** Remember a request of our own, so that its echo is not asked for. Returns how to forget it again. */
export function remember(id) {
  own.push(id)
  if (own.length > 50) own.shift()
  return () => {
    const at = own.indexOf(id)
    if (at >= 0) own.splice(at, 1)
  }
}

/** Say that the page shows something newer than what may have been asked for. */
export function outdate() {
  generation += 1
}

/** Ask for some leads now. Quietly, if the person has just been told what happened to them. */
export function refresh(ids, stageIds = [], { quietly = false } = {}) {
  quiet ||= quietly
  ids.forEach((id) => pending.add(id))
  stageIds.forEach((id) => stages.add(id))
  schedule()
}

/** Take over the position of a board that the server has drawn anew. */
export function adopt() {
  ({ epoch } = board().dataset)
  number = Number(board().dataset.number)
  outdate()
  showState()
}

/** Draw all columns anew. Soon is for one person who waits; otherwise spread over a second. */
export function resync({ soon = false } = {}) {
  if (resyncing) return
  resyncing = true
  clearTimeout(resyncTimer)
  resyncTimer = setTimeout(redraw, soon ? 0 : Math.random() * 1000)
}

export const current = () => generation

/** Write an address of the board with the person's filters. */
export function address(path, values = {}) {
  const query = new URLSearchParams(board().dataset.query)
  for (const [name, value] of Object.entries(values)) query.set(name, value)
  return query.size ? `${path}?${query}` : path
}

// ── Whispers ───────────────────────────────────────────────────────────────────────────────────

function hear(message) {
  clearTimeout(silenceTimer)
  silenceTimer = setTimeout(reconnect, SILENCE)
  if (message.type === "event") {
    if (resyncing) held.push(message)
    else follow(message)
  } else if (isBehind(message)) {
    // The announcement itself may be on its way: look again in a moment.
    if (message.type === "hello") resync()
    else setTimeout(() => isBehind(message) && resync(), 1000)
  }
}

const isBehind = (message) => message.epoch !== epoch || message.number > number

function follow({ epoch: theirs, number: count, event }) {
  if (theirs === epoch && count <= number) return
  const isNext = theirs === epoch ? count === number + 1 : epoch === "" && count === 1
  if (!isNext) {
    resync()
    return
  }
  epoch = theirs
  number = count
  if (event.kind === "leads") note(event)
  else if (event.kind === "bulk") document.getElementById("board-pill").hidden = false
  else resync()
}

function note({ leads, stages: touched, request }) {
  tellPanel(leads.map(([id]) => id))
  if (request && own.includes(request)) return
  const news = leads.filter(([id, version]) => !(Number(document.getElementById(`lead-${id}`)?.dataset.v) >= version))
  if (news.length) refresh(news.map(([id]) => id), touched)
}

/** Let whatever shows a lead beside the board know that it changed. */
function tellPanel(ids) {
  document.body.dispatchEvent(new CustomEvent("crm:lead-changed", { detail: { ids } }))
}

// ── Pulling ────────────────────────────────────────────────────────────────────────────────────

function isBusy() {
  const busy = locks > 0 || Boolean(window.Sortable?.active) || board().querySelector("[data-live-lock]") !== null
  if (!busy) busySince = 0
  else busySince ||= Date.now()
  // A lock that somebody forgot does not hold for ever; a card in the hand and a move under way do.
  return busy && (locks > 0 || Boolean(window.Sortable?.active) || Date.now() - busySince < LONGEST_LOCK)
}

/** Go on with what was held back. */
export function settle() {
  if (resyncWanted && !isBusy()) {
    resyncWanted = false
    resync({ soon: true })
  } else if (pending.size) {
    clearTimeout(pullTimer)
    pullTimer = 0
    schedule()
  }
}

function schedule() {
  if (pullTimer || resyncing) return
  const wait = pulledAt + BATCH - Date.now()
  if (wait <= 0) pull()
  else pullTimer = setTimeout(pull, wait)
}

async function pull() {
  clearTimeout(pullTimer)
  pullTimer = 0
  if (!pending.size || pulling || document.hidden) return
  if (isBusy()) {
    showWaiting()
    pullTimer = setTimeout(pull, 400)
    return
  }
  if (pending.size > MOST_IDS) {
    resync()
    return
  }
  const ids = [...pending]
  const touched = [...stages]
  pending.clear()
  stages.clear()
  pulling = true
  pulledAt = Date.now()
  const asked = generation
  const answer = await send(address(board().dataset.delta, { ids: ids.join(), stages: touched.join() }))
  pulling = false
  showWaiting()
  if (!answer.ok) {
    failed(answer)
  } else if (asked !== generation || isBusy()) {
    refresh(ids, touched)
  } else {
    apply(answer.html, { flash: true })
    if (answer.toast && !quiet) sayWho(answer.toast)
    quiet = false
    if (pending.size) schedule()
  }
}

/** One toast about others at a time: the newest takes the place of the one before. */
function sayWho(said) {
  if (lastToast?.isConnected) dismiss(lastToast)
  lastToast = toast(said)
}

function showWaiting() {
  const place = document.getElementById("board-note")
  if (place) place.textContent = pending.size && busySince && Date.now() - busySince > 5000 ? text("waiting") : ""
}

// ── Resync ─────────────────────────────────────────────────────────────────────────────────────

async function redraw() {
  if (isBusy() || document.hidden) {
    resyncing = false
    resyncWanted = true
    if (!document.hidden) setTimeout(settle, 400)
    replay()
    return
  }
  const asked = generation
  const loaded = Math.max(...[...document.querySelectorAll(".crm-column-cards")].map((list) => cardsIn(list).length))
  const perColumn = Math.min(100, Math.max(loaded, Number(board().dataset.perColumn)))
  board().setAttribute("aria-busy", "true")
  const answer = await send(address(board().dataset.columns, { per_column: perColumn }))
  board().removeAttribute("aria-busy")
  resyncing = false
  if (!answer.ok) {
    failed(answer)
  } else if (asked !== generation || isBusy()) {
    resyncWanted = true
    settle()
  } else {
    failures = 0
    pending.clear()
    stages.clear()
    showColumns(parse(answer.html).querySelector("#board"))
    document.getElementById("board-pill").hidden = true
  }
  replay()
}

function showColumns(drawn) {
  const ids = (root) => [...root.querySelectorAll(".crm-column")].map((column) => column.id).join()
  if (ids(drawn) !== ids(board())) {
    location.reload() // the stages themselves have changed
    return
  }
  for (const header of drawn.querySelectorAll(".crm-column-header")) showHeader(header)
  const kept = new Set([...drawn.querySelectorAll(".crm-card")].map((card) => card.id))
  for (const list of document.querySelectorAll(".crm-column-cards")) cardsIn(list).filter((card) => !kept.has(card.id)).forEach(drop)
  for (const column of drawn.querySelectorAll(".crm-column")) {
    Idiomorph.morph(listOf(column.dataset.stage), [...column.querySelector(".crm-column-cards").childNodes], { morphStyle: "innerHTML" })
  }
  epoch = drawn.dataset.epoch
  number = Number(drawn.dataset.number)
  outdate()
  changed()
}

/** Follow what was whispered while we were drawing. */
function replay() {
  const messages = held
  held = []
  messages.forEach((message) => (resyncing ? held.push(message) : follow(message)))
}

/** An answer did not come: ask for everything later, or leave if there is nothing here for us any more. */
function failed({ status }) {
  if (status === 404 || status === 401) leave()
  failures += 1
  if (failures === 3 && status) {
    toast({ category: "error", title: text("refresh-failed"), action: { label: text("try-again"), run: () => resync({ soon: true }) } })
  }
  setTimeout(() => resync(), Math.min(30000, 1000 * 2 ** failures))
}

// ── The socket ─────────────────────────────────────────────────────────────────────────────────

function connect() {
  clearTimeout(retryTimer)
  const url = new URL(board().dataset.socket, location.href)
  url.protocol = url.protocol.replace("http", "ws")
  const mine = new WebSocket(url)
  socket = mine
  mine.addEventListener("open", () => {
    if (mine !== socket) return
    if (lostAt && Date.now() - lostAt > 3000) announce(text("online"))
    attempts = 0
    lostAt = 0
    document.documentElement.dataset.live = "open"
    showState()
  })
  mine.addEventListener("message", (event) => mine === socket && hear(JSON.parse(event.data)))
  mine.addEventListener("close", (event) => mine === socket && lost(event.code))
}

function lost(code) {
  clearTimeout(silenceTimer)
  if (leaving) return
  if (code === NOT_ALLOWED) {
    leave()
    return
  }
  lostAt ||= Date.now()
  document.documentElement.dataset.live = "lost"
  const wait = code === COME_AGAIN ? Math.random() * 1000 : Math.min(10000, 500 * 2 ** attempts) * (0.5 + Math.random() / 2)
  attempts += 1
  // A refused handshake looks like a broken line: ask by HTTP whether we may still be here.
  if (attempts % 4 === 3 && navigator.onLine) send(address(board().dataset.delta)).then(({ status }) => status === 404 && leave())
  retryTimer = setTimeout(connect, wait)
  showState()
}

function reconnect() {
  attempts = 0
  if (socket) {
    const old = socket
    socket = null
    old.close()
  }
  lostAt ||= Date.now()
  connect()
  showState()
}

/** Load the page anew: the server says what is left for us, sign-in or nothing. Not over and over, though. */
function leave() {
  const before = Number(sessionStorage.getItem("crm:left") ?? 0)
  if (Date.now() - before < 60000) return
  leaving = true
  sessionStorage.setItem("crm:left", String(Date.now()))
  location.reload()
}

function showState() {
  const away = lostAt ? Date.now() - lostAt : 0
  // A server that restarts or a planned reconnect is back before anybody needs to know.
  const banner = document.getElementById("crm-offline")
  if (banner) banner.hidden = navigator.onLine && away < 2000
  board().toggleAttribute("data-stale", away > STALE)
  if (lostAt && away < STALE) setTimeout(showState, away < 2000 ? 2050 - away : STALE + 50 - away)
}

// ── Coming and going ───────────────────────────────────────────────────────────────────────────

let hiddenAt = 0
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    hiddenAt = Date.now()
    return
  }
  if (socket?.readyState !== WebSocket.OPEN) reconnect()
  if (hiddenAt && Date.now() - hiddenAt > AWAY) resync({ soon: true })
  else settle()
})
addEventListener("online", () => {
  showState()
  reconnect()
})
addEventListener("offline", showState)
addEventListener("pagehide", () => {
  leaving = true
  socket?.close()
})
addEventListener("pageshow", (event) => {
  if (!event.persisted) return
  leaving = false
  reconnect()
  resync({ soon: true })
})
document.getElementById("crm-offline")?.addEventListener("click", (event) => {
  if (!event.target.closest("[data-reload]")) return
  event.stopPropagation()
  reconnect()
}, true)
document.addEventListener("click", (event) => {
  if (event.target.closest("#board-pill")) resync({ soon: true })
})

adopt()
connect()
