// The cursors that the client of a session keeps: for each of its groups, the id up to which it has received everything. When
// its session is lost, it tells them to the next one (PROTOCOL.md, "Groups").

export interface GroupCursors {
  /** True until the client has told all of them. */
  readonly areAwaited: boolean;
  /** True if the client had more cursors than it has told. */
  readonly areIncomplete: boolean;
  /** Calls `fn` when the client has told all of them. */
  whenTold(fn: () => void): void;
  /** Returns the cursor of a group, which is then forgotten: any text, as the client has sent it. */
  take(group: string): string | undefined;
}
