// Folds the inputs that a node calls advanced, in editors that know "Show Advanced" and do not read it from the node
// (1.32.9). A workflow that sets one of them shows them: nothing that changes the video is hidden.
import { app } from "../../scripts/app.js"

const OURS = "MotionRAG"
const GAP_PIXELS = 4 // between widgets

function specsOf(node) {
  const inputs = node.constructor.nodeData?.input ?? {}
  return { ...inputs.required, ...inputs.optional }
}

app.registerExtension({
  name: "motionrag.FoldedInputs",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    const specs = specsOf(node)
    for (const widget of node.widgets ?? []) {
      if (!specs[widget.name]?.[1]?.advanced) continue
      widget.advanced = true
      // What is advanced or hidden is not drawn, yet takes its room.
      const { computeSize } = widget
      const room = () => (node.showAdvanced && !widget.hidden ? computeSize : () => [0, -GAP_PIXELS])
      Object.defineProperty(widget, "computeSize", { get: room, configurable: true })
    }
    node.setSize([node.size[0], node.computeSize()[1]])
  },
  loadedGraphNode(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    const specs = specsOf(node)
    const linked = (name) => node.inputs?.some((input) => input.widget?.name === name && input.link != null)
    const isSet = (widget) => widget.value !== (widget.motionragOwn ?? specs[widget.name][1].default)
    const advanced = (node.widgets ?? []).filter((widget) => widget.advanced)
    if (advanced.some((widget) => isSet(widget) || linked(widget.name))) node.showAdvanced = true
  },
})
