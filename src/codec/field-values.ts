// The values of one name in a field list: name, value, name, value, … (RFC 9110 §5).

/** The value of the first field of that name, which is given in lower case. */
export function fieldValue(fields: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return fields[index + 1];
  }
  return undefined;
}

export function fieldValues(fields: readonly string[], lowerName: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) values.push(fields[index + 1]!);
  }
  return values;
}

/** All values of that name as one list (RFC 9110 §5.3), or undefined. */
export function joinedValues(fields: readonly string[], lowerName: string, separator = ", "): string | undefined {
  let joined: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (name.length !== lowerName.length || name.toLowerCase() !== lowerName) continue;
    const value = fields[index + 1]!;
    joined = joined === undefined ? value : joined + separator + value;
  }
  return joined;
}
