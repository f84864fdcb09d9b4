// What the list of jobs says.
import { addTexts } from "../texts.js";

addTexts({
  "jobs.title": "Jobs",
  "jobs.what": "Imports, exports, take-backs and dropped files of the last 30 days: jobs are kept that long, their files for 7 days.",
  "jobs.none": "No job in 30 days; jobs are kept that long.",
  "jobs.kind": "Job",
  "jobs.begun": "Begun",
  "jobs.by": "By",
  "jobs.state": "State",
  "jobs.result": "Result",
  "jobs.file": "File",
  "jobs.get": "Get the link",
  "jobs.job.import": "Import",
  "jobs.job.export": "Export",
  "jobs.job.revert": "Take back",
  "jobs.job.drop": "Dropped file",
  "jobs.job.outcomes": "Export of outcomes",
  "jobs.job.trial": "Trial of rules",
  "jobs.dry": "tried only",
  "jobs.imported": "{rows} rows: {new} new, {updated} with more evidence, {invalid} cannot be read",
  "jobs.exported": "{rows} rows",
  "jobs.reverted": "{found} in the window, {changed} changed, {freed} free again",
  "jobs.tried": "{changed} of {outcomes} messages would mean something else, {suppressed} more suppressed, {freed} free again",
  "jobs.dropped": "{file}: {sent} bodies sent on, {parked} set aside",
});
