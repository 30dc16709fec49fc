// What went wrong while one of our nodes ran, in the user's language. Some editors (1.49.6) say only that the node threw an
// error: there the node says which.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { hidesFaults } from "./fault_catalogue.js"
import { translated } from "./messages.js"
import { nodeOf, say } from "./words_in_nodes.js"

const OURS = "MotionRAG"
const FAILED = "execution_error"

function tell(failure) {
  failure.exception_message = translated(String(failure.exception_message ?? "").trim())
  const node = hidesFaults() ? nodeOf(failure.node_id) : null
  if (node) say(node, "fault", failure.exception_message)
}

app.registerExtension({
  name: "motionrag.RunFaults",
  init() {
    const sent = api.dispatchCustomEvent
    api.dispatchCustomEvent = function (kind, detail) {
      if (kind === FAILED && detail?.node_type?.startsWith(OURS)) tell(detail)
      return sent.apply(this, arguments)
    }
  },
})
