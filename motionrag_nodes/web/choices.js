// Shows what our nodes let choose from in the user's language. What is saved, exported and queued stays the English word.
import { app } from "../../scripts/app.js"
import { said } from "./said.js"

const OURS = "MotionRAG"

let words = {}

app.registerExtension({
  name: "motionrag.Choices",
  // Awaited by the editor before it makes a node.
  async init() {
    words = (await said()).choices ?? {}
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    for (const widget of node.widgets ?? []) {
      const choices = widget.options?.values
      if (!Array.isArray(choices) || !choices.some((choice) => choice in words)) continue
      widget.options.getOptionLabel = (choice) => words[choice] ?? choice ?? ""
    }
  },
})
