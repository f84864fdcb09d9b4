// What the page of one message says.
import { addTexts } from "../texts.js";

addTexts({
  "message.title": "What became of this message?",
  "message.welcome": "Type the id of a message above, as the system that sent it knows it (ses:0102…, <1234@mail.example.com>), or an identifier of your own that the policy names (X-Order:4711).",
  "message.none": "Nothing is stored about this message",
  "message.none.what": "Neither under this id nor with one of the usual beginnings ({tried}). Outcomes are kept for a limited time.",
  "message.from": "from {sender}",
  "message.recipients": "Recipients",
  "message.shown": "{count} shown",
  "message.shown.more": "{count} shown, there are more",
  "message.filter.status": "Only",
  "message.filter.to": "Only to",
  "message.filter.to.hint": "One address, whole",
  "message.filter.apply": "Show",
  "message.filter.none": "Of those that are shown, none is “{status}”.",
  "message.to.none": "Nothing is stored about this message to {name}.",
  "message.to.all": "Show all recipients",
  "message.copy": "Copy the id",
  "message.opened": "Opened {count} times",
  "message.clicked": "clicked {count} times",
  "message.identifiers": "Your identifiers",
});
