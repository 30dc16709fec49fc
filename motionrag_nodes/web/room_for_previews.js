// Keeps fields for a few words small, so that a node's height goes to what it shows: the clips that play, the pictures.
import { app } from "../../scripts/app.js"

const OURS = "MotionRAG"
const FIELD_PIXELS = 76

app.registerExtension({
  name: "motionrag.RoomForPreviews",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith(OURS)) return
    for (const widget of node.widgets ?? []) {
      if (widget.type === "customtext") widget.options.getMaxHeight = () => FIELD_PIXELS
    }
  },
})
