// Whether the editor has a catalogue of errors (1.49.6): it says only that a value was rejected, and the node's own words,
// with the remedy, are a click away.
import { translations } from "./texts.js"

const ENTRY = "errorCatalog.validationErrors.custom_validation_failed.title"

export const hidesFaults = () => Boolean(translations()?.te(ENTRY, "en"))
