// One mistake, one message, on the input that is wrong. The server repeats what a node says of its inputs for each input
// that the node checks; every line of ours begins with the input at fault, and is kept for that one alone. Where the
// editor hides what a node says, the node shows it.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { hidesFaults } from "./fault_catalogue.js"
import { translated } from "./messages.js"
import { nodeOf, say } from "./words_in_nodes.js"

const OURS = "MotionRAG"
const FAILED = "prompt_outputs_failed_validation"
const REPEATED = "custom_validation_failed"
const LINE = /^([a-z_]+): (.*)$/

function ofThisInput(error) {
  const name = error.extra_info?.input_name
  if (error.type !== REPEATED || !name) return error
  const said = String(error.details).startsWith(`${name} - `) ? error.details.slice(name.length + 3) : error.details
  const lines = said.split("\n").map((line) => LINE.exec(line))
  const own = lines.every(Boolean) ? lines.filter((line) => line[1] === name).map((line) => line[2]) : [said]
  return own.length ? { ...error, message: name, details: own.map(translated).join("\n") } : null
}

// The head of the answer repeats what the nodes say, each once more.
function tidyAnswer(response) {
  tidy(response?.node_errors)
  const { error, node_errors: nodes } = response ?? {}
  if (error?.type === FAILED && Object.values(nodes ?? {}).some((node) => node.class_type?.startsWith(OURS))) {
    error.details = ""
  }
}

function tidy(nodeErrors) {
  for (const [id, node] of Object.entries(nodeErrors ?? {})) {
    if (!node.class_type?.startsWith(OURS)) continue
    node.errors = node.errors.map(ofThisInput).filter(Boolean)
    if (!node.errors.length) delete nodeErrors[id]
  }
}

function showInNodes(nodeErrors) {
  if (!hidesFaults()) return
  for (const [id, { errors }] of Object.entries(nodeErrors ?? {})) {
    const own = errors.filter((error) => error.type === REPEATED).map((error) => `${error.message}: ${error.details}`)
    if (own.length) say(nodeOf(id), "fault", own.join("\n"))
  }
}

function forgetFaults(graph) {
  for (const node of graph?.nodes ?? []) {
    say(node, "fault", "")
    forgetFaults(node.subgraph)
  }
}

app.registerExtension({
  name: "motionrag.OneFault",
  init() {
    const asked = api.queuePrompt
    api.queuePrompt = async function () {
      forgetFaults(app.graph)
      try {
        const answer = await asked.apply(this, arguments)
        tidy(answer?.node_errors)
        showInNodes(answer?.node_errors)
        return answer
      } catch (error) {
        tidyAnswer(error?.response)
        showInNodes(error?.response?.node_errors)
        throw error
      }
    }
  },
})
