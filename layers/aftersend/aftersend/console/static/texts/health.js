// What the page of operations says of alarms and of sources.
import { addTexts } from "../texts.js";

addTexts({
  "health.alarms": "Alarms",
  "health.alarms.unknown": "We cannot tell which alarms ring: CloudWatch did not answer.",
  "health.alarms.none": "None of {all} alarms rings. How old the oldest message is, queues do not say: where it matters, an alarm watches it.",
  "health.alarms.no.data": "{count} of them have had nothing to judge by.",
  "health.alarms.no.data.one": "1 of them has had nothing to judge by.",
  "health.alarm": "Alarm",
  "health.since": "Since",
  "health.meaning": "What it means",
  "health.sources": "Last heard of, by source",
  "health.sources.what": "The last day (UTC) on which new messages were heard of, within {days} days, and how many they were.",
  "health.sources.none": "Nothing was heard in {days} days.",
  "health.source": "Source",
  "health.last": "Last day",
  "health.messages": "Messages",
  "health.today": "today",
});
