// What the list of keys says.
import { addTexts } from "../texts.js";

addTexts({
  "keys.title": "Keys",
  "keys.off": "Turn keys off",
  "keys.on": "Turn keys on",
  "keys.column.key": "Key",
  "keys.column.what": "What it does",
  "key.lookup": "Go to the look-up box",
  "key.keys": "Show this list",
  "key.utc": "Times in UTC, or in your zone",
  "key.go": "Go to a page: {letters}",
  "key.move": "In lists: next and previous",
  "key.open": "In lists: open",
  "keys.made.with": "This page is made with others' work; their licences:",
  "key.none": "No key decides anything: that takes a button.",
});
