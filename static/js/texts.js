// The words that scripts show: written by the page in the person's language, in <template id="crm-texts">.

export function text(name) {
  return document.getElementById("crm-texts")?.content.querySelector(`[data-text="${name}"]`)?.textContent ?? ""
}
