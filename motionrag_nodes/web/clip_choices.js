// The clips that were found, playing in the node, each with buttons: pin it, exclude it, weigh it, copy its name. What is
// clicked is written into the node's own inputs, so it is saved, exported and queued with them.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { said } from "./said.js"

const CHOOSING = ["MotionRAGRetrieveNeighbours", "MotionRAGFindMotion"]
const WIDGET = "motionrag_clips"
const CARD_PIXELS = 90
const MARGIN_PIXELS = 20
const BUTTON =
  "cursor:pointer;border:1px solid var(--border-color);border-radius:4px;background:var(--comfy-input-bg);" +
  "color:var(--input-text);font:11px sans-serif;padding:1px 5px"

const baseName = (path) => path.split(/[\\/]/).pop()
const names = (text) => text.split(/[,\n]/).map((name) => name.trim()).filter(Boolean)
const keysOf = (clip) => [clip.id, clip.source, baseName(clip.source), baseName(clip.source).replace(/\.[^.]+$/, "")]

function make(tag, style, words = "") {
  const element = document.createElement(tag)
  element.style.cssText = style
  element.textContent = words
  return element
}

function button(words, label, pressed, act) {
  const element = make("button", BUTTON, words)
  element.type = "button"
  element.setAttribute("aria-label", label)
  if (pressed !== null) element.setAttribute("aria-pressed", String(pressed))
  if (pressed) element.style.background = "rgb(190, 120, 0)"
  element.addEventListener("click", act)
  return element
}

class Choices {
  constructor(node) {
    this.node = node
    this.element = make("div", "position:relative;display:flex;flex-direction:column;gap:4px;color:var(--input-text);font:12px sans-serif")
    for (const kind of ["pointerdown", "mousedown", "dblclick"]) {
      this.element.addEventListener(kind, (event) => event.stopPropagation())
    }
    this.clips = []
  }

  input(name) {
    return this.node.widgets.find((widget) => widget.name === name)
  }

  read(name) {
    return this.input(name)?.value ?? ""
  }

  write(name, text) {
    const widget = this.input(name)
    widget.value = text
    widget.callback?.(text)
    this.draw(true)
  }

  // The file name, or the id where several clips shown are of one file.
  nameOf(clip) {
    const own = baseName(clip.source)
    return this.clips.filter((other) => baseName(other.source) === own).length > 1 ? clip.id : own
  }

  chosen(list, clip) {
    return names(this.read(list)).some((name) => keysOf(clip).includes(name))
  }

  toggle(list, clip) {
    const kept = names(this.read(list)).filter((name) => !keysOf(clip).includes(name))
    const other = list === "pin" ? "exclude" : "pin"
    if (kept.length < names(this.read(list)).length) return this.write(list, kept.join(", "))
    const rest = names(this.read(other)).filter((name) => !keysOf(clip).includes(name))
    if (this.input(other)) this.input(other).value = rest.join(", ")
    this.write(list, [...kept, this.nameOf(clip)].join(", "))
  }

  weightLines(clip) {
    const named = (line) => line.slice(0, line.lastIndexOf(":")).trim()
    const lines = this.read("weights").split("\n").filter((line) => line.trim())
    const own = [...keysOf(clip), `#${clip.rank}`]
    return [lines.filter((line) => own.includes(named(line))), lines.filter((line) => !own.includes(named(line)))]
  }

  weigh(clip, weight) {
    const [, others] = this.weightLines(clip)
    this.write("weights", [...others, ...(weight === 1 ? [] : [`${this.nameOf(clip)}: ${weight}`])].join("\n"))
  }

  show(clips, film, cells) {
    Object.assign(this, { clips, cells })
    const place = new URLSearchParams({ filename: film.filename, subfolder: film.subfolder, type: film.type })
    this.film = api.apiURL(`/view?${place}`)
    this.draw(false)
  }

  async draw(changed) {
    const words = (await said()).clips
    const grid = make("div", `display:grid;grid-template-columns:repeat(auto-fill,minmax(${CARD_PIXELS}px,1fr));gap:6px`)
    grid.append(...this.clips.map((clip, index) => this.card(clip, index, words)))
    this.element.replaceChildren(grid)
    const excluded = names(this.read("exclude"))
    if (excluded.length) {
      const line = make("div", "display:flex;flex-wrap:wrap;gap:4px;align-items:center", words.excluded)
      for (const name of excluded) {
        const back = () => this.write("exclude", excluded.filter((other) => other !== name).join(", "))
        line.append(button(`${name} ✕`, `${words.exclude} ${name}`, true, back))
      }
      this.element.append(line)
    }
    if (changed) this.element.append(make("div", "opacity:0.8", words.again))
    this.grow(5)
  }

  card(clip, index, words) {
    const name = this.nameOf(clip)
    const card = make("div", "position:relative;display:flex;flex-direction:column;gap:2px;min-width:0")
    card.setAttribute("role", "group")
    card.setAttribute("aria-label", name)
    if (this.chosen("exclude", clip)) card.style.opacity = "0.35"
    card.append(this.picture(index), this.copyable(baseName(clip.source), words))
    const row = make("div", "display:flex;flex-wrap:wrap;gap:3px;align-items:center")
    for (const list of ["pin", "exclude"]) {
      row.append(button(words[list], `${words[list]} ${name}`, this.chosen(list, clip), () => this.toggle(list, clip)))
    }
    const weight = make("input", `${BUTTON};width:42px;cursor:text`)
    Object.assign(weight, { type: "number", min: 0, max: 100, step: 0.5 })
    weight.setAttribute("aria-label", `${words.weight} ${name}`)
    weight.title = words.weight
    const [own] = this.weightLines(clip)
    weight.value = own.length ? own[0].slice(own[0].lastIndexOf(":") + 1).trim() : 1
    weight.addEventListener("change", () => this.weigh(clip, Number(weight.value)))
    row.append(weight)
    card.append(row)
    return card
  }

  // One cell of the sheet on which all clips play.
  picture(index) {
    const { columns, width, height, margin } = this.cells
    const [column, row] = [index % columns, Math.floor(index / columns)]
    const box = make("div", `position:relative;overflow:hidden;width:100%;aspect-ratio:${width}/${height};border-radius:4px`)
    const share = (pixels, whole) => `${(100 * pixels) / whole}%`
    const image = make(
      "img",
      `position:absolute;max-width:none;width:${share(columns * width + margin, width)};` +
        `left:-${share(column * width + margin / 2, width)};top:-${share(row * height + margin / 2, height)}`,
    )
    image.src = this.film
    image.draggable = false
    image.decoding = "async"
    box.append(image)
    return box
  }

  copyable(name, words) {
    const line = make("div", "user-select:text;cursor:copy;overflow:hidden;text-overflow:ellipsis;white-space:nowrap", name)
    line.title = `${words.copy}: ${name}`
    line.addEventListener("click", () => navigator.clipboard?.writeText(name))
    return line
  }

  height() {
    const last = this.element.lastElementChild
    return this.clips.length && last ? last.offsetTop + last.offsetHeight + MARGIN_PIXELS : 0
  }

  grow(frames) {
    const [width, tall] = this.node.computeSize()
    this.node.setSize([Math.max(this.node.size[0], width), Math.max(this.node.size[1], tall)])
    this.node.graph?.setDirtyCanvas(true, true)
    if (frames) requestAnimationFrame(() => this.grow(frames - 1))
  }
}

app.registerExtension({
  name: "motionrag.ClipChoices",
  // There from the start, without room: nodes drawn by Vue overlook widgets that come later.
  nodeCreated(node) {
    if (!CHOOSING.includes(node.comfyClass)) return
    const choices = new Choices(node)
    node.motionragClips = choices
    const height = () => choices.height()
    const widget = node.addDOMWidget(WIDGET, WIDGET, choices.element, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: height,
      getMaxHeight: height,
    })
    widget.serialize = false
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!CHOOSING.includes(nodeData.name)) return
    const before = nodeType.prototype.onExecuted
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments)
      const [film] = output?.motionrag_clips ?? []
      const [cells] = output?.motionrag_cells ?? []
      if (film && cells && output.neighbours) this.motionragClips?.show(output.neighbours, film, cells)
    }
  },
})
