// Folds the inputs that a node calls advanced, in editors that know "Show Advanced" and do not read it from the node
// (1.32.9). A workflow that sets one of them shows them: nothing that changes the video is hidden. Where nodes drawn by Vue
// have nothing to unfold them by, they get a button.
import { app } from "../../scripts/app.js"
import { said } from "./said.js"
import { foldsInVue, showInVue, takeRoomWhenSeen } from "./visible_widgets.js"

const OURS = "MotionRAG"

let words = {}

function specsOf(node) {
  const inputs = node.constructor.nodeData?.input ?? {}
  return { ...inputs.required, ...inputs.optional }
}

function addButton(node) {
  const button = node.addWidget("button", words.show, null, () => node.toggleAdvanced(), { serialize: false })
  button.serialize = false
  Object.assign(button, { hidden: true, motionragUnfolds: true }) // classic nodes have it in their menu
  takeRoomWhenSeen(node, button)
  const before = node.toggleAdvanced
  node.toggleAdvanced = function () {
    before.apply(this, arguments)
    unfold(node)
  }
}

function unfold(node) {
  const button = node.widgets?.find((widget) => widget.motionragUnfolds)
  if (button) button.name = node.showAdvanced ? words.hide : words.show // a button shows its name
  showInVue(node)
}

app.registerExtension({
  name: "motionrag.FoldedInputs",
  async init() {
    words = (await said()).advanced ?? {}
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    const specs = specsOf(node)
    const advanced = (node.widgets ?? []).filter((widget) => specs[widget.name]?.[1]?.advanced)
    for (const widget of advanced) {
      widget.advanced = true
      takeRoomWhenSeen(node, widget)
    }
    if (advanced.length && !foldsInVue()) addButton(node)
    unfold(node)
    node.setSize([node.size[0], node.computeSize()[1]])
  },
  loadedGraphNode(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    const specs = specsOf(node)
    const linked = (name) => node.inputs?.some((input) => input.widget?.name === name && input.link != null)
    const isSet = (widget) => widget.value !== (widget.motionragOwn ?? specs[widget.name][1].default)
    const advanced = (node.widgets ?? []).filter((widget) => widget.advanced)
    if (advanced.some((widget) => isSet(widget) || linked(widget.name))) node.showAdvanced = true
    unfold(node)
  },
})
