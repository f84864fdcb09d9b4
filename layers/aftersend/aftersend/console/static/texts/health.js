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
  "health.sources.what": "When the latest body of each was archived, whether anybody could read it or not.",
  "health.sources.none": "No source was heard of so far.",
  "health.sources.unknown": "We cannot tell when sources were last heard of: the archive did not answer.",
  "health.source": "Source",
  "health.last": "Last heard of",
});
