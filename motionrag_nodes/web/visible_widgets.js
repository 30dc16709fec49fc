// Which widgets of our nodes are seen. What is not seen takes no room. Nodes drawn by Vue read a widget's options; some
// editors (1.32.9) show there all that is advanced, so that they are told of it as if it were hidden.
import { app } from "../../scripts/app.js"

const GAP_PIXELS = 4 // between widgets
// A setting of the editors that fold what is advanced in nodes drawn by Vue.
const FOLDING = "Comfy.Node.AlwaysShowAdvancedWidgets"

export const foldsInVue = () => app.extensionManager.setting.get(FOLDING) !== undefined

// What is advanced or hidden is not drawn by classic nodes, yet would take its room.
export function takeRoomWhenSeen(node, widget) {
  if (widget.motionragRoom) return
  widget.motionragRoom = true
  const { computeSize } = widget
  const seen = () => !widget.hidden && (!widget.advanced || node.showAdvanced)
  const room = () => (seen() ? computeSize : () => [0, -GAP_PIXELS])
  Object.defineProperty(widget, "computeSize", { get: room, configurable: true })
}

export function hide(widget, hidden) {
  widget.hidden = widget.motionragHidden = hidden // the first is read by classic nodes
}

// Tells Vue what is hidden and folded now; `changed`: whether anything else is to be drawn again.
export function showInVue(node, changed = false) {
  for (const widget of node.widgets ?? []) {
    if (widget.motionragHidden === undefined && !widget.advanced) continue // what comes and goes by itself
    const folded = !foldsInVue() && Boolean(widget.advanced) && !node.showAdvanced
    const hidden = Boolean(widget.motionragHidden) || folded
    if (Boolean(widget.options.hidden) === hidden) continue
    widget.options.hidden = hidden
    changed = true
  }
  if (changed && !foldsInVue()) readAgain(node)
}

// Those editors keep a copy of the widgets that was made when the node came, and take another when it comes again.
function readAgain(node) {
  if (app.extensionManager.setting.get("Comfy.VueNodes.Enabled")) node.graph?.onNodeAdded?.(node)
}
