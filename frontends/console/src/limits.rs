//! Owns the limits of the console, each with its name.
//! Promises that a script can neither fill the memory nor run for ever, whatever it says.
//! Refuses to be configured beyond what `config` offers: the prompt is for people, the limits are for accidents.

use std::time::Duration;

/// Operations of one script; some seconds of a tight loop.
pub const MAX_OPERATIONS: u64 = 100_000_000;
/// How deep functions of a script may call each other.
pub const MAX_CALL_LEVELS: usize = 32;
/// How deep expressions may nest.
pub const MAX_EXPRESSION_DEPTH: usize = 64;
/// How deep expressions may nest inside of a function.
pub const MAX_FUNCTION_DEPTH: usize = 48;
/// Bytes of one string: the largest block fits in hexadecimal.
pub const MAX_STRING_BYTES: usize = 8 * 1024 * 1024;
/// Elements of one array, those of arrays in it included.
pub const MAX_ARRAY_ITEMS: usize = 100_000;
/// Entries of one map, those of maps in it included.
pub const MAX_MAP_ENTRIES: usize = 10_000;
/// Variables that there may be at once.
pub const MAX_VARIABLES: usize = 256;
/// Functions that scripts of one session may define.
pub const MAX_FUNCTIONS: usize = 256;
/// Bytes of one script.
pub const MAX_SCRIPT_BYTES: usize = 9 * 1024 * 1024;

/// Bytes that the process may grow by while a script runs: the stop for what the limits above let through together.
pub const MAX_GROWTH_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of blocks and transactions that a session's variables may hold.
pub const MAX_HELD_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of strings, arrays and maps that a session's variables may keep from one script to the next.
pub const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// Blocks whose transactions a session keeps at hand, beside those that variables hold.
pub const MAX_CACHED_BODIES: usize = 4;

/// Bytes that one script may print.
pub const MAX_PRINTED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a value as text; what is longer is cut, and says so.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Rows of a table; what is longer is cut, and says so.
pub const MAX_ROWS: usize = 200;
/// Bytes of a value as JSON; what is longer is refused, because half of it would be no JSON.
pub const MAX_JSON_BYTES: usize = 8 * 1024 * 1024;
/// How deep arrays and maps of a value may nest.
pub const MAX_VALUE_DEPTH: usize = 32;

/// Coins that `coins(…)` lists.
pub const MAX_COINS: usize = MAX_ARRAY_ITEMS;
/// Coins that are read at once.
pub const COINS_PER_READ: usize = 10_000;
/// Blocks that one `mine(…)` makes.
pub const MAX_MINED_BLOCKS: i64 = 1_000;
/// How often a block that came out twice is mined again, each time a second later.
pub const MAX_TWINS: u32 = 600;

/// Sessions that may be open at once.
pub const DEFAULT_MAX_SESSIONS: usize = 16;
/// How long a script may run unless its client says otherwise.
pub const DEFAULT_TIME: Duration = Duration::from_secs(60);
/// The longest that a client may ask for.
pub const DEFAULT_MAX_TIME: Duration = Duration::from_secs(60 * 60);
/// Bytes of one frame of the protocol.
pub const MAX_FRAME_BYTES: usize = 20 * 1024 * 1024;
/// Replies that may wait for a client to read them; a script that has more to say waits too.
pub const MAX_WAITING_REPLIES: usize = 64;
/// Requests that may wait for the one that runs; a client that sends more is not read meanwhile.
pub const MAX_WAITING_REQUESTS: usize = 4;
/// Stack of a session's thread in bytes: address space, of which only what is used takes memory.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;
