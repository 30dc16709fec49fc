// The words that our page extensions show, in the user's language; English where there is none.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

let reading = null

// {templates, clips, ...} of locales/LANGUAGE/main.json; `english` holds the same in English.
export function said() {
  reading ??= (async () => {
    const all = await (await api.fetchApi("/i18n")).json()
    const own = all[app.extensionManager.setting.get("Comfy.Locale")]?.motionrag ?? {}
    const english = all.en?.motionrag ?? {}
    const parts = Object.keys({ ...english, ...own })
    return { ...Object.fromEntries(parts.map((part) => [part, { ...english[part], ...own[part] }])), english }
  })()
  return reading
}
