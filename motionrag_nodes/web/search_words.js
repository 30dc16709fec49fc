// Lets the node search find our nodes by other words than their names. The search of the editor reads names alone, so
// the words in brackets at the end of a node's description follow its name there, and only there.
import { app } from "../../scripts/app.js"

const OURS = "MotionRAG"
const BRACKETS = /[(（]([^()（）]+)[)）]\s*$/
const BETWEEN_WORDS = /\s*[,，、]\s*/
// The search ignores what begins farther than this from the start of a name: showing it would only be clutter.
const REACH = 30

const plainNames = new Map()

function searchName(name, description) {
  const words = BRACKETS.exec(description ?? "")?.[1].split(BETWEEN_WORDS) ?? []
  return words.reduce((longer, word, index) => {
    const start = longer + (index ? ", " : ": ")
    return start.length <= REACH ? start + word : longer
  }, name)
}

app.registerExtension({
  name: "MotionRAG.SearchWords",
  beforeRegisterVueAppNodeDefs(defs) {
    defs.forEach((def, index) => {
      if (!def.name.startsWith(OURS)) return
      plainNames.set(def.name, def.display_name)
      defs[index] = { ...def, display_name: searchName(def.display_name, def.description) }
    })
  },
  // A node that is added from the search is titled as the search calls it: give it its own name.
  nodeCreated(node) {
    const plain = plainNames.get(node.comfyClass)
    if (plain && node.title.startsWith(`${plain}: `)) node.title = plain
  },
})
