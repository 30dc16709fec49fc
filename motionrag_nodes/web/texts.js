// Has nodes speak the user's language. The editor reads the texts that packs bring before it loads its own in a language
// other than English, and its own replace them (1.32.9): here they are added once more, when its own are there.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const PATIENCE_MS = 10_000
const PAUSE_MS = 20

// The editor's own translator; null where it keeps it elsewhere.
export function translations() {
  const vue = document.getElementById("vue-app")?.__vue_app__
  return vue?._context.provides[vue.__VUE_I18N_SYMBOL__]?.global
}

app.registerExtension({
  name: "motionrag.Texts",
  // Awaited by the editor before it names the nodes.
  async init() {
    const locale = app.extensionManager.setting.get("Comfy.Locale")
    const known = translations()
    if (!known || !locale || locale === "en") return
    const texts = (await (await api.fetchApi("/i18n")).json())[locale]
    if (!texts) return
    const loaded = () => known.te("g.cancel", locale)
    for (let waited = 0; !loaded() && waited < PATIENCE_MS; waited += PAUSE_MS) {
      await new Promise((done) => setTimeout(done, PAUSE_MS))
    }
    known.mergeLocaleMessage(locale, texts)
  },
})
