// The words that our page extensions show, in the user's language; English where there is none.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

let reading = null

// {templates, clips, ...} of locales/LANGUAGE/main.json.
export function said() {
  reading ??= (async () => {
    const all = await (await api.fetchApi("/i18n")).json()
    const own = all[app.extensionManager.setting.get("Comfy.Locale")]?.motionrag ?? {}
    const english = all.en?.motionrag ?? {}
    return Object.fromEntries(Object.keys(english).map((part) => [part, { ...english[part], ...own[part] }]))
  })()
  return reading
}
