// What shows nothing is no text, as the service has it: white space, controls, the blank of braille,
// and characters that Unicode has ignored where they are not known.

const VISIBLE = new RegExp(
  "[^\\x01-\\x20\\x7f-\\xa0\\xad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f" +
  "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0" +
  "\\ufff0-\\ufff8\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]", "u",
);

export const isBlank = (text) => !VISIBLE.test(text);
