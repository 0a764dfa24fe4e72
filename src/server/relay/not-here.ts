// The answer of a process that was asked for a session that it does not have: the process that asked looks for it elsewhere.
// RFC 9110 §15.5.20: 421 (Misdirected Request). The field tells it from an application's own 421.

export const NOT_HERE_STATUS = 421;
/** In lower case. */
export const NOT_HERE_FIELD = "unichannel-session";
export const NOT_HERE_FIELDS: readonly string[] = [NOT_HERE_FIELD, "not here"];
