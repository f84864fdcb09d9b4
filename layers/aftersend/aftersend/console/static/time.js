// Times are stored in UTC, and shown in the zone of whoever looks, with the offset that held at that moment.
import { say } from "./texts.js";
import { useShared } from "./view.js";

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const KEY = "aftersend-zone";
const listeners = new Set();
let utc = read() === "UTC";

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

export function showInUtc(wanted) {
  utc = wanted;
  try {
    localStorage.setItem(KEY, utc ? "UTC" : "here");
  } catch {
    // it is then asked for again next time
  }
  for (const each of listeners) each(utc);
}

export const useZone = () => useShared(listeners, utc);

export function nameZone() {
  if (utc) return "UTC";
  return `${HERE.split("/").at(-1).replaceAll("_", " ")} (${readParts(new Date(), HERE).offset})`;
}

const formats = new Map();
function readParts(date, zone) {
  if (!formats.has(zone)) {
    formats.set(
      zone,
      new Intl.DateTimeFormat("en-GB", {
        timeZone: zone, day: "numeric", month: "numeric", year: "numeric", hour: "2-digit", minute: "2-digit",
        second: "2-digit", hourCycle: "h23", timeZoneName: "shortOffset",
      }),
    );
  }
  const found = Object.fromEntries(formats.get(zone).formatToParts(date).map((each) => [each.type, each.value]));
  return { ...found, offset: found.timeZoneName.replace("GMT", "UTC").replace("-", "−") };
}

const nameMonth = (number) => say(`month.${Number(number)}`);

// "27 Mar 2026, 11:00 (UTC+2)"
export function writeMoment(iso, { inUtc = utc, seconds = false } = {}) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const at = readParts(date, inUtc ? "UTC" : HERE);
  const clock = `${at.hour}:${at.minute}${seconds ? `:${at.second}` : ""}`;
  return `${Number(at.day)} ${nameMonth(at.month)} ${at.year}, ${clock} (${at.offset})`;
}

export function writeClock(iso) {
  const at = readParts(new Date(iso), utc ? "UTC" : HERE);
  return `${at.hour}:${at.minute}:${at.second}`;
}

// A day in UTC: days of lists and charts are, whoever looks.
export function writeDay(iso, withYear = true) {
  const [year, month, day] = iso.slice(0, 10).split("-");
  return `${Number(day)} ${nameMonth(month)}${withYear ? ` ${year}` : ""}`;
}

export function listDays(first, last) {
  const days = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += 86_400_000) days.push(isoDay(at));
  return days;
}

export const isoDay = (time) => new Date(time).toISOString().slice(0, 10);
export const daysAgo = (number, now = Date.now()) => isoDay(now - number * 86_400_000);

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
export function writeDistance(iso, now = Date.now()) {
  const seconds = (Date.parse(iso) - now) / 1000;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.trunc(seconds / length), unit);
}

// What a field "date and time" holds is in the zone that is shown; the API is sent UTC.
export function readMoment(local) {
  const time = Date.parse(utc ? `${local}Z` : local);
  return Number.isNaN(time) ? null : new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}

// The same moment for such a field, to the minute.
export function writeField(iso) {
  const date = new Date(iso ?? "");
  if (Number.isNaN(date.getTime())) return "";
  const at = readParts(date, utc ? "UTC" : HERE);
  const two = (text) => text.padStart(2, "0");
  return `${at.year}-${two(at.month)}-${two(at.day)}T${at.hour}:${at.minute}`;
}
