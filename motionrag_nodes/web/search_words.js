// Lets the node search find our nodes by other words than their names: those in brackets at the end of a description. Some
// editors search names alone, so the words follow the name there, and only there; later ones (1.58.1) have aliases.
import { app } from "../../scripts/app.js"
import { translations } from "./texts.js"

const OURS = "MotionRAG"
const BRACKETS = /[(（]([^()（）]+)[)）]\s*$/
const BETWEEN_WORDS = /\s*[,，、]\s*/
// The search ignores what begins farther than this from the start of a name: showing it would only be clutter.
const REACH = 30

const plainNames = new Map()

const wordsOf = (description) => BRACKETS.exec(description ?? "")?.[1].split(BETWEEN_WORDS) ?? []

// In the user's language, where the editor translates only what it shows.
function inUsersLanguage(name, description) {
  const key = `nodeDefs.${name}.description`
  return translations()?.te(key) ? translations().t(key) : description
}

function searchName(name, description) {
  return wordsOf(description).reduce((longer, word, index) => {
    const start = longer + (index ? ", " : ": ")
    return start.length <= REACH ? start + word : longer
  }, name)
}

app.registerExtension({
  name: "motionrag.SearchWords",
  beforeRegisterVueAppNodeDefs(defs) {
    defs.forEach((def, index) => {
      if (!def.name.startsWith(OURS)) return
      plainNames.set(def.name, def.display_name)
      const aliases = [...wordsOf(def.description), ...wordsOf(inUsersLanguage(def.name, def.description))]
      defs[index] = { ...def, display_name: searchName(def.display_name, def.description), search_aliases: aliases }
    })
  },
  // A node that is added from the search is titled as the search calls it: give it its own name.
  nodeCreated(node) {
    const plain = plainNames.get(node.comfyClass)
    if (plain && node.title.startsWith(`${plain}: `)) node.title = plain
  },
})
