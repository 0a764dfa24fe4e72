// Numbers that several transports share.

/** Output beyond this is written within the turn: the system takes it while the application makes more. */
export const FLUSH_BYTES = 65_536;
