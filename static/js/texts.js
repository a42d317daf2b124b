// The words that scripts show: written by the page in the person's language, in <template id="crm-texts">,
// and in the <template data-texts> of a page that has words of its own.

export function text(name) {
  for (const template of document.querySelectorAll("#crm-texts, template[data-texts]")) {
    const found = template.content.querySelector(`[data-text="${name}"]`)
    if (found) return found.textContent
  }
  return ""
}
