// Builds everything under static/ that is not written by hand: vendored libraries, fonts, the icon sprite, app.css.
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))
const modules = join(here, "node_modules")
const out = join(here, "..", "static")

// package → the name of its folder in static/vendor and the files that the pages load
const vendored = {
  "htmx.org": { name: "htmx", files: ["dist/htmx.min.js"] },
  idiomorph: { name: "idiomorph", files: ["dist/idiomorph-ext.min.js"] },
  sortablejs: { name: "sortablejs", files: ["Sortable.min.js"] },
  "basecoat-css": { name: "basecoat", files: ["dist/js/basecoat.min.js", "dist/js/dropdown-menu.min.js", "dist/js/popover.min.js"] },
  "lucide-static": { name: "lucide", files: [] },
  "@fontsource-variable/geist": {
    name: "geist",
    files: ["files/geist-latin-wght-normal.woff2", "files/geist-latin-ext-wght-normal.woff2"],
  },
}

function vendor() {
  rmSync(join(out, "vendor"), { recursive: true, force: true })
  for (const [pkg, { name, files }] of Object.entries(vendored)) {
    const source = join(modules, pkg)
    const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"))
    const target = join(out, "vendor", `${name}@${version}`)
    mkdirSync(target, { recursive: true })
    for (const file of files) copyFileSync(join(source, file), join(target, basename(file)))
    const licence = readdirSync(source).find((file) => /^licen[cs]e/i.test(file))
    copyFileSync(join(source, licence), join(target, "LICENSE"))
  }
}

function sprite() {
  const names = readFileSync(join(here, "icons.txt"), "utf8").split("\n").map((line) => line.trim()).filter((line) => line && !line.startsWith("#"))
  const symbols = [...new Set(names)].sort().map((name) => {
    const svg = readFileSync(join(modules, "lucide-static", "icons", `${name}.svg`), "utf8")
    const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"))
    return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s*\n\s*/g, "")}</symbol>`
  })
  writeFileSync(join(out, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`)
}

function css() {
  mkdirSync(join(out, "css"), { recursive: true })
  const cli = join(modules, ".bin", "tailwindcss")
  execFileSync(cli, ["--input", "app.css", "--output", join(out, "css", "app.css"), "--minify"], { cwd: here, stdio: "inherit" })
}

if (!existsSync(join(modules, ".bin", "tailwindcss"))) throw new Error("Run npm ci in frontend/ first.")
vendor()
sprite()
css()
