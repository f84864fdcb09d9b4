// Texts of strangers: what a provider, a mail server or a sender wrote is shown, and never believed.

// Signs that show nothing, or that turn the order of what stands behind them: written out instead.
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const ADDRESS = /([^\s<>"'(),;:[\]@]+)@([^\s<>"'(),;:[\]@]+)/g;
export const MAX_QUOTE = 1024;

export function writeOut(text) {
  return text.replace(HIDDEN, (sign) => `⟨U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

// Every address in a text but the one that was asked for: a refusal may name to whom a mail was forwarded.
export function maskOthers(text, own) {
  const asked = bareAddress(own).toLowerCase();
  return text.replace(ADDRESS, (whole, local, domain) =>
    whole.toLowerCase() === asked ? whole : `${[...local][0]}…@${domain}`,
  );
}

export function bareAddress(recipient) {
  return recipient.replace(/^(email|sms|push):/, "");
}

export const domainOf = (recipient) => bareAddress(recipient).split("@").at(-1);

// In a CSV file, a spreadsheet takes what begins with these signs for a formula.
export function writeCsv(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
