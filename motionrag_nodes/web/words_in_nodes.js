// Shows in a node what it says of its run: a notice when the picture is not for this model, reports in full, and why the
// run was refused. They are shown, not saved: a text is of its run.
import { app } from "../../scripts/app.js"
import { hidesFaults } from "./fault_catalogue.js"
import { translated } from "./messages.js"

const OURS = "MotionRAG"
const LINE_PIXELS = 17
// Around the words, and around a widget.
const ROOM_PIXELS = 12
const MARGIN_PIXELS = 20
const REPORT_WIDTH = 520
const FRAMES_UNTIL_SHOWN = 5
const LOOKS = {
  notice: "background: rgba(240, 160, 0, 0.18); border-left: 4px solid rgb(230, 149, 0);",
  report: "background: var(--comfy-input-bg); border: 1px solid var(--border-color); user-select: text; cursor: text;",
  fault: "background: rgba(220, 50, 50, 0.18); border-left: 4px solid rgb(220, 50, 50); user-select: text; cursor: text;",
}
const ROLES = { notice: "note", report: "log", fault: "alert" }
// What a node reports -> the kind of words, and their name as a widget.
const SHOWN = [
  ["motionrag_notice", "notice"],
  ["text", "report"],
]

function panel(kind) {
  const element = document.createElement("div")
  element.setAttribute("role", ROLES[kind])
  element.className = `motionrag-${kind}`
  element.style.cssText =
    `${LOOKS[kind]} box-sizing: border-box; padding: 5px 8px; border-radius: 4px; overflow: hidden;` +
    `color: var(--input-text); font: 12px/${LINE_PIXELS}px sans-serif; white-space: pre-wrap; overflow-wrap: anywhere;`
  if (kind === "report") element.style.fontFamily = "monospace"
  // A drag in a text that can be copied marks words; it does not move the canvas.
  if (kind !== "notice") element.addEventListener("pointerdown", (event) => event.stopPropagation())
  return element
}

// In pixels: of the text as it is wrapped now; before it is on the page, of its lines.
function heightOf(element) {
  const lines = element.textContent.split("\n").length
  return Math.max(element.isConnected ? element.scrollHeight : 0, lines * LINE_PIXELS + ROOM_PIXELS)
}

// The widget is there from the start, without room: nodes drawn by Vue overlook widgets that come later.
function addPlace(node, kind) {
  const element = panel(kind)
  element.style.display = "none"
  const height = () => (element.textContent ? heightOf(element) + MARGIN_PIXELS : 0)
  const widget = node.addDOMWidget(`motionrag_${kind}`, `motionrag_${kind}`, element, {
    serialize: false, // among the node's inputs
    hideOnZoom: false,
    getValue: () => element.textContent,
    setValue: (value) => { element.textContent = value },
    getMinHeight: height,
    getMaxHeight: height,
  })
  widget.serialize = false // in the saved workflow
  widget.hidden = true
}

export function say(node, kind, words) {
  const widget = node.widgets?.find((known) => known.name === `motionrag_${kind}`)
  if (!widget || widget.value === words) return
  widget.value = words
  widget.hidden = !words
  widget.element.style.display = words ? "" : "none"
  if (words && kind === "report") node.setSize([Math.max(node.size[0], REPORT_WIDTH), node.size[1]])
  grow(node, FRAMES_UNTIL_SHOWN)
}

// Makes room for the words, as they are wrapped once they are on the page.
function grow(node, frames) {
  const [width, tall] = node.computeSize()
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], tall)])
  node.graph?.setDirtyCanvas(true, true)
  if (frames) requestAnimationFrame(() => grow(node, frames - 1))
}

// An id within subgraphs is "outer:inner".
export function nodeOf(id) {
  return String(id).split(":").reduce((node, part) => node?.subgraph?.getNodeById(Number(part)), { subgraph: app.graph })
}

function show(node, output) {
  for (const [key, kind] of SHOWN) {
    if (Array.isArray(output?.[key])) say(node, kind, output[key].map(translated).join("\n"))
  }
}

app.registerExtension({
  name: "motionrag.WordsInNodes",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    if (node.inputs?.some((input) => input.name === "image")) addPlace(node, "notice")
    if (node.constructor.nodeData?.output_node) addPlace(node, "report")
    if (hidesFaults()) addPlace(node, "fault")
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name.startsWith(OURS)) return
    const before = nodeType.prototype.onExecuted
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments)
      show(this, output)
    }
  },
})
