// Prints errors of a store or a backplane whose application has no `onError`, or one that throws.

/** Never throws: an error of the application may be an object whose properties throw when they are read. */
export function printError(...what: readonly unknown[]): void {
  try {
    console.error(...what);
  } catch {
    console.error("unichannel: an error that cannot be printed");
  }
}
