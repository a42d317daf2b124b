// Runs before the first paint: dark or light by the person's choice, or by the device.
(() => {
  const root = document.documentElement
  const device = matchMedia("(prefers-color-scheme: dark)")
  const apply = () => {
    const choice = root.dataset.theme
    const dark = choice === "dark" || (choice !== "light" && device.matches)
    root.classList.toggle("dark", dark)
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", dark ? "#0c0b11" : "#ffffff")
  }
  apply()
  device.addEventListener("change", apply)
  new MutationObserver(apply).observe(root, { attributeFilter: ["data-theme"] })
})()
