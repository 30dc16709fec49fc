// Shows the settings that are not set as what they will be: the numbers of the model whose motion pack is connected; those
// that it does not have are not shown, and none before a model is connected. Where the pack cannot be told, their names say
// that the number stands for the model's own.
// What is saved, exported and queued stays the number that stands for "the model's own", whatever the model.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { said } from "./said.js"
import { hide, showInVue, takeRoomWhenSeen } from "./visible_widgets.js"

const OURS = "MotionRAG"
const GENERATING = [`${OURS}GenerateVideo`, `${OURS}Storyboard`, `${OURS}CompareMotions`]
const MODEL_INPUTS = ["video_model", "motion", "pack"]
const SUBGRAPH_INPUT = -10 // the id of the node that stands for a subgraph's inputs
const UNKNOWN = {}

// Asked for once, and again when the editor reads the nodes again (R).
let settings = null
let waiting = false
let words = {}

async function read() {
  const answer = await api.fetchApi("/motionrag/settings")
  settings = answer.ok ? await answer.json() : { unset: {}, packs: {} }
  words = (await said()).settings ?? {}
}

function settingsOf(node) {
  return GENERATING.includes(node.comfyClass)
    ? (node.widgets ?? []).filter((widget) => widget.name in (settings?.unset ?? UNKNOWN))
    : []
}

const placesOf = (node) => MODEL_INPUTS.map((name) => node.inputs?.findIndex((input) => input.name === name) ?? -1)
  .filter((place) => place >= 0)

// [node, output] that an input is connected to, out of subgraphs too.
function sourceOf(node, place) {
  const link = node.graph?.getLink?.(node.inputs?.[place]?.link)
  if (!link) return []
  if (link.origin_id !== SUBGRAPH_INPUT) return [node.graph.getNodeById(link.origin_id), link.origin_slot]
  const host = hostOf(node.graph)
  return host ? sourceOf(host, link.origin_slot) : []
}

function hostOf(graph) {
  let host = null
  eachNode(app.graph, (node) => { if (node.subgraph === graph) host = node })
  return host
}

// The same for what a subgraph gives out.
function insideOf(node, output) {
  const link = node.subgraph.getLink?.(node.subgraph.outputs?.[output]?.linkIds?.[0])
  return link ? [node.subgraph.getNodeById(link.origin_id), link.origin_slot] : []
}

// The pack that a node's motion or video model comes from, wherever it is chosen before it.
function packBefore(node, output = 0, seen = new Set()) {
  if (!node || seen.has(node)) return null
  seen.add(node)
  const choice = node.widgets?.find((widget) => widget.name === "pack")
  if (choice) return choice.value
  const inside = node.subgraph ? packBefore(...insideOf(node, output), seen) : null
  if (inside) return inside
  for (const place of [...placesOf(node), ...(node.inputs ?? []).keys()]) {
    const found = packBefore(...sourceOf(node, place), seen)
    if (found) return found
  }
  return null
}

function saved(widget) {
  return widget.value === widget.motionragOwn ? settings.unset[widget.name] : widget.value
}

// The name with, or without, a remark. Whether that is new.
function remark(widget, said) {
  const before = widget.motionragRemark ?? ""
  if (before === said) return false
  const label = widget.label ?? widget.name
  widget.label = (before && label.endsWith(before) ? label.slice(0, -before.length) : label) + said
  widget.motionragRemark = said
  return true
}

function showOwn(node) {
  const known = settings.packs[packBefore(node)]
  const connected = placesOf(node).some((place) => node.inputs[place].link != null)
  const own = known ?? UNKNOWN
  const height = node.computeSize()[1]
  let renamed = false
  for (const widget of settingsOf(node)) {
    const unset = settings.unset[widget.name]
    const isUnset = widget.value === unset || widget.value === widget.motionragOwn
    widget.motionragOwn = own[widget.name]
    widget.serializeValue ??= () => saved(widget)
    hide(widget, isUnset && !(widget.name in own) && (Boolean(known) || !connected))
    const told = isUnset && !known && unset !== "" ? (words.own ?? "").replace("{unset}", unset) : ""
    renamed = remark(widget, told) || renamed
    const shown = widget.motionragOwn ?? unset
    if (isUnset && widget.value !== shown) {
      widget.value = shown
      widget.callback?.(shown)
    }
  }
  showInVue(node, renamed)
  const needed = node.computeSize()[1]
  if (needed !== height) node.setSize([node.size[0], Math.max(needed, node.size[1] + needed - height)])
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
  // Awaited by the editor before it makes a node.
  init: read,
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
    for (const widget of settingsOf(node)) {
      after(widget, "callback", refresh)
      takeRoomWhenSeen(node, widget)
    }
    refresh()
  },
  afterConfigureGraph: refresh,
  refreshComboInNodes() {
    settings = null
    refresh()
  },
})
