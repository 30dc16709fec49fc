// Has the notes of our templates, with their titles and those of groups, speak the user's language. A note
// that someone has changed stays as it is.
import { app } from "../../scripts/app.js"
import { said } from "./said.js"

const NOTE = "MarkdownNote"

let words = {}

function translated(note) {
  const [name] = Object.entries(words.english?.notes ?? {}).find(([, text]) => text === note?.value) ?? []
  const own = words.notes?.[name]
  return own === note?.value ? null : own
}

app.registerExtension({
  name: "motionrag.Notes",
  async init() {
    words = await said()
  },
  afterConfigureGraph() {
    for (const node of app.graph.nodes.filter((node) => node.type === NOTE)) {
      const [note] = node.widgets ?? []
      const own = translated(note)
      if (!own) continue
      note.value = own
      node.title = words.titles?.[node.title] ?? node.title
      for (const group of app.graph.groups ?? []) group.title = words.titles?.[group.title] ?? group.title
    }
  },
})
