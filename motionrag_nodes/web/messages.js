// Messages of nodes in the user's language. A message is known by its English sentence, in which {name} stands for any
// words; these are looked up as well, so that a sentence may hold others. Of a report that is not known as a whole, each
// line is looked up. What is not known stays English.
import { app } from "../../scripts/app.js"
import { said } from "./said.js"

const PLACE = /\\\{([a-z]+)\\\}/g
const SPECIAL = /[.*+?^${}()|[\]\\]/g

let known = []

// What an error holds may have several lines; what a line of a report holds, none.
function pattern(english) {
  const flags = english.startsWith("Expected") ? "s" : ""
  return new RegExp(`^${english.replace(SPECIAL, "\\$&").replace(PLACE, "(?<$1>.*?)")}$`, flags)
}

export function translated(message) {
  for (const [english, own] of known) {
    const found = english.exec(message)
    if (found) return own.replace(/\{([a-z]+)\}/g, (_, name) => translated(found.groups[name]))
  }
  return message.includes("\n") ? message.split("\n").map(translated).join("\n") : message
}

app.registerExtension({
  name: "motionrag.Messages",
  async init() {
    const { messages = {} } = await said()
    known = Object.entries(messages).map(([english, own]) => [pattern(english), own])
  },
})
