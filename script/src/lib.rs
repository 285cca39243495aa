//! Bitcoin script: interpreter, signature hashes, sigop counts, verification flags.
