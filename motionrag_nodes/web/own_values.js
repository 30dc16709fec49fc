// Shows the settings that are not set as what they will be: the numbers of the model whose motion pack is connected; those
// that it does not have are not shown.
// What is saved, exported and queued stays the number that stands for "the model's own", whatever the model.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const OURS = "MotionRAG"
const GENERATING = [`${OURS}GenerateVideo`, `${OURS}Storyboard`]
const MODEL_INPUTS = ["video_model", "motion"]
const UNKNOWN = {}

// Asked for once, and again when the editor reads the nodes again (R).
let settings = null
let waiting = false

async function read() {
  const answer = await api.fetchApi("/motionrag/settings")
  settings = answer.ok ? await answer.json() : { unset: {}, packs: {} }
}

function settingsOf(node) {
  return GENERATING.includes(node.comfyClass)
    ? (node.widgets ?? []).filter((widget) => widget.name in (settings?.unset ?? UNKNOWN))
    : []
}

// The pack that a node's motion or video model comes from, wherever it is chosen before it.
function packBefore(node, seen = new Set()) {
  if (!node || seen.has(node)) return null
  seen.add(node)
  const choice = node.widgets?.find((widget) => widget.name === "pack")
  if (choice) return choice.value
  const first = MODEL_INPUTS.flatMap((name) => node.inputs?.findIndex((input) => input.name === name) ?? [])
  const places = [...first.filter((place) => place >= 0), ...(node.inputs ?? []).keys()]
  for (const place of places) {
    const found = packBefore(node.getInputNode?.(place), seen)
    if (found) return found
  }
  return null
}

function saved(widget) {
  return widget.value === widget.motionragOwn ? settings.unset[widget.name] : widget.value
}

// Classic nodes read the one, Nodes 2.0 the other.
function hide(widget, hidden) {
  widget.hidden = hidden
  widget.options.hidden = hidden
}

function showOwn(node) {
  const known = settings.packs[packBefore(node)]
  const own = known ?? UNKNOWN
  for (const widget of settingsOf(node)) {
    const unset = settings.unset[widget.name]
    const isUnset = widget.value === unset || widget.value === widget.motionragOwn
    widget.motionragOwn = own[widget.name]
    widget.serializeValue ??= () => saved(widget)
    const shown = widget.motionragOwn ?? unset
    hide(widget, isUnset && Boolean(known) && !(widget.name in own))
    if (isUnset && widget.value !== shown) {
      widget.value = shown
      widget.callback?.(shown)
    }
  }
}

function eachNode(graph, act) {
  for (const node of graph?.nodes ?? []) {
    act(node)
    if (node.subgraph) eachNode(node.subgraph, act)
  }
}

function refresh() {
  if (waiting) return
  waiting = true
  setTimeout(async () => {
    waiting = false
    if (!settings) await read()
    eachNode(app.graph, (node) => { if (settingsOf(node).length) showOwn(node) })
    app.graph?.setDirtyCanvas(true, true)
  })
}

function after(owner, name, act) {
  const before = owner[name]
  owner[name] = function () {
    const result = before?.apply(this, arguments)
    act.apply(this, arguments)
    return result
  }
}

app.registerExtension({
  name: "motionrag.OwnValues",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name.startsWith(OURS)) return
    after(nodeType.prototype, "onConnectionsChange", refresh)
    after(nodeType.prototype, "onSerialize", function (written) {
      if (!settings || !Array.isArray(written.widgets_values)) return
      const mine = new Set(settingsOf(this))
      this.widgets?.forEach((widget, place) => {
        if (mine.has(widget)) written.widgets_values[place] = saved(widget)
      })
    })
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    for (const widget of node.widgets ?? []) {
      if (widget.name === "pack") after(widget, "callback", refresh)
    }
    for (const widget of settingsOf(node)) after(widget, "callback", refresh)
    refresh()
  },
  afterConfigureGraph: refresh,
  refreshComboInNodes() {
    settings = null
    refresh()
  },
})
