/** The two units that every format and every image counts in, in bytes. */

/** SQLite's default, and what the log counts in. */
export const PAGE_SIZE = 4096;

/** A checkpoint writes so much as one piece. 1 MiB loads 6 times as fast as 4 KiB
 * in Chromium. */
export const EXTENT_SIZE = 1 << 20;
