// Gives our templates in the gallery titles and descriptions in the user's language, the simple one first. The editor
// knows of a pack's templates nothing but the names of their files, and shows those twice (1.32.9) or once (1.49.6).
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { said } from "./said.js"

const MODULE = "motionrag"
const CARD = "[data-testid^='template-workflow-']"

let texts = {}

async function read() {
  texts = (await said()).templates ?? {}
}

function write(element, words) {
  if (!element || element.textContent === words) return
  element.textContent = words
  element.title = words
}

function letter(card) {
  const name = card.dataset.testid.slice("template-workflow-".length)
  const said = texts[name]
  if (!said) return
  for (const element of card.querySelectorAll("h1, h2, h3, h4, p, span")) {
    if (element.textContent === name) write(element, said.title)
    if (element.textContent === name.replaceAll("_", " ")) write(element, said.description)
  }
  describe(card, said)
}

// Below the title, where the editor has left no place for a description.
function describe(card, { title, description }) {
  const parts = [...card.querySelectorAll("h1, h2, h3, h4, p, span")]
  const heading = parts.find((element) => element.textContent === title)
  if (!heading || parts.some((element) => element.textContent === description)) return
  const line = document.createElement("p")
  line.style.cssText = "margin: 0; font-size: 12px; line-height: 16px; opacity: 0.75"
  write(line, description)
  heading.after(line)
}

app.registerExtension({
  name: "motionrag.TemplateTexts",
  init() {
    const ready = read()
    const asked = api.getWorkflowTemplates
    api.getWorkflowTemplates = async function () {
      const found = await asked.apply(this, arguments)
      await ready
      const order = Object.keys(texts)
      const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length)
      found[MODULE]?.sort((one, other) => place(one) - place(other))
      return found
    }
    new MutationObserver(() => document.querySelectorAll(CARD).forEach(letter))
      .observe(document.body, { childList: true, subtree: true })
  },
})
