// Shows what a node reports in words in the node itself, below its inputs. It is shown, not saved: a text is of its run.
import { app } from "../../scripts/app.js"
import { ComfyWidgets } from "../../scripts/widgets.js"

const OURS = "MotionRAG"
const WIDGET = "shown_text"

function textWidget(node) {
  const known = node.widgets?.find((widget) => widget.name === WIDGET)
  if (known) return known
  const { widget } = ComfyWidgets.STRING(node, WIDGET, ["STRING", { multiline: true }], app)
  widget.element.readOnly = true
  widget.serialize = false // in the saved workflow
  widget.options.serialize = false // among the node's inputs
  return widget
}

app.registerExtension({
  name: "MotionRAG.ShownText",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name.startsWith(OURS)) return
    const before = nodeType.prototype.onExecuted
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments)
      if (Array.isArray(output?.text)) textWidget(this).value = output.text.join("\n")
    }
  },
})
